/* An MCP server that costs next to nothing, so that what is measured is what stands in front of it.
 *
 * It speaks 2026-07-28 over HTTP/1.1, echoes the id, and checks nothing. Arguments: a port (0: any), a file with the
 * JSON array of its tools. It prints its port. A call's arguments may hold "bytes":N (length of the text it answers
 * with, 200 if absent) and "stream":true (answer as server-sent events, after one notification).
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 4096
#define MAX_REQUEST 262144
#define MAX_TEXT 1048576

struct connection {
    int have;
    char data[MAX_REQUEST];
};

static struct connection *connections[MAX_CONNECTIONS];
static char *tools;
static char text[MAX_TEXT + 1];
static char out[MAX_TEXT + 4096];

static const char DISCOVER[] = "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}},"
                               "\"ttlMs\":0,\"cacheScope\":\"private\"";

static void send_all(int fd, const char *data, size_t left) {
    while (left) {
        ssize_t sent = write(fd, data, left);
        if (sent > 0) {
            data += sent;
            left -= (size_t)sent;
        } else {
            usleep(100); /* the reader is slow; so may we be */
        }
    }
}

/* The id as it was sent: ours stands before the parameters, so the first one is the right one. */
static void find_id(const char *body, char *id) {
    const char *at = strstr(body, "\"id\":");
    int length = 0;
    strcpy(id, "1");
    if (!at) return;
    for (at += 5; *at == ' '; at++) {}
    while (*at && *at != ',' && *at != '}' && length < 60) id[length++] = *at++;
    id[length] = 0;
}

static void answer(int fd, const char *body) {
    char id[64];
    int head, length;
    find_id(body, id);
    if (strstr(body, "\"notifications/")) {
        send_all(fd, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 45);
        return;
    }
    if (strstr(body, "\"tools/list\"")) {
        char *large = malloc(strlen(tools) + 4096);
        length = sprintf(large + 256, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":%s,\"resultType\":"
                         "\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\"}}", id, tools);
        head = sprintf(large, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", length);
        send_all(fd, large, (size_t)head);
        send_all(fd, large + 256, (size_t)length);
        free(large);
        return;
    }
    if (strstr(body, "\"server/discover\"")) {
        length = sprintf(out + 256, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\",%s}}", id, DISCOVER);
    } else {
        const char *asked = strstr(body, "\"bytes\":");
        long size = asked ? strtol(asked + 8, NULL, 10) : 200;
        int stream = strstr(body, "\"stream\":true") != NULL || strstr(body, "\"stream\": true") != NULL;
        if (size < 0 || size > MAX_TEXT) size = 200;
        length = sprintf(out + 256, "%s{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"%.*s\"}],"
                         "\"isError\":false,\"resultType\":\"complete\"}}%s",
                         stream ? "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":"
                                  "{\"level\":\"info\",\"data\":\"at work\"}}\n\nevent: message\ndata: " : "",
                         id, (int)size, text, stream ? "\n\n" : "");
        if (stream) {
            head = sprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", length);
            memmove(out + head, out + 256, (size_t)length);
            memcpy(out + head + length, "\r\n0\r\n\r\n", 7);
            send_all(fd, out, (size_t)(head + length + 7));
            return;
        }
    }
    head = sprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", length);
    memmove(out + head, out + 256, (size_t)length);
    send_all(fd, out, (size_t)(head + length));
}

/* Answers every whole request in what was read. */
static void serve(int fd, struct connection *c) {
    for (;;) {
        char *end, *length_at, kept;
        int total;
        c->data[c->have] = 0;
        end = strstr(c->data, "\r\n\r\n");
        if (!end) return;
        length_at = strcasestr(c->data, "content-length:");
        total = (int)(end - c->data) + 4 + (length_at && length_at < end ? atoi(length_at + 15) : 0);
        if (c->have < total) return;
        kept = c->data[total];
        c->data[total] = 0;
        answer(fd, end + 4);
        c->data[total] = kept;
        memmove(c->data, c->data + total, (size_t)(c->have - total) + 1);
        c->have -= total;
    }
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    long size;
    char *data;
    if (!file) return strdup("[]");
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    data = calloc(1, (size_t)size + 1);
    if (fread(data, 1, (size_t)size, file) != (size_t)size) exit(1);
    fclose(file);
    return data;
}

int main(int count, char **arguments) {
    int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct epoll_event event = {.events = EPOLLIN}, events[256];
    if (count < 3) return 2;
    address.sin_port = htons((unsigned short)atoi(arguments[1]));
    tools = read_file(arguments[2]);
    memset(text, 'x', MAX_TEXT);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listening, (struct sockaddr *)&address, size) || listen(listening, 1024)) return 1;
    getsockname(listening, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    event.data.fd = listening;
    epoll_ctl(poll, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        int ready = epoll_wait(poll, events, 256, -1);
        for (int each = 0; each < ready; each++) {
            int fd = events[each].data.fd;
            struct connection *c;
            ssize_t got;
            if (fd == listening) {
                int accepted = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
                if (accepted < 0) continue;
                if (accepted >= MAX_CONNECTIONS) {
                    close(accepted);
                    continue;
                }
                setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                if (!connections[accepted]) connections[accepted] = malloc(sizeof(struct connection));
                connections[accepted]->have = 0;
                event.data.fd = accepted;
                epoll_ctl(poll, EPOLL_CTL_ADD, accepted, &event);
                continue;
            }
            c = connections[fd];
            got = read(fd, c->data + c->have, (size_t)(MAX_REQUEST - 1 - c->have));
            if (got <= 0) {
                close(fd);
                continue;
            }
            c->have += (int)got;
            serve(fd, c);
        }
    }
}
