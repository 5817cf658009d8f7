/* channel.c - a message is 4 bytes of length (little endian), then compact JSON. */
#include "pipeline/channel.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LENGTH_BYTES = 4, MESSAGE_MAX_BYTES = 64 << 20, READ_BYTES = 65536 };

struct pie_channel {
    int fd;
    pie_buf in, out;
    size_t in_at, out_at; /* bytes already used of each */
};

pie_status pie_channel_new(int fd, pie_channel **ret_channel)
{
    pie_channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return PIE_ERR_NOMEM;
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        free(channel);
        return PIE_ERR_IO;
    }
    channel->fd = fd;
    *ret_channel = channel;
    return PIE_OK;
}

void pie_channel_free(pie_channel *channel)
{
    if (!channel)
        return;
    close(channel->fd);
    pie_buf_free(&channel->in);
    pie_buf_free(&channel->out);
    free(channel);
}

int pie_channel_fd(const pie_channel *channel)
{
    return channel->fd;
}

bool pie_channel_wants_write(const pie_channel *channel)
{
    return channel->out_at < channel->out.n;
}

pie_status pie_channel_flush(pie_channel *channel)
{
    while (pie_channel_wants_write(channel)) {
        const ssize_t n = send(channel->fd, channel->out.data + channel->out_at,
                               channel->out.n - channel->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return PIE_OK;
        if (n < 0)
            return PIE_ERR_CRASHED;
        channel->out_at += (size_t)n;
    }
    pie_buf_clear(&channel->out);
    channel->out_at = 0;
    return PIE_OK;
}

pie_status pie_channel_send(pie_channel *channel, json_t *message)
{
    char *text = message ? json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(message);
    if (!text)
        return PIE_ERR_NOMEM;
    const size_t n = strlen(text);
    uint8_t length[LENGTH_BYTES];
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        length[i] = (uint8_t)(n >> 8 * i);
    pie_status status =
        n > MESSAGE_MAX_BYTES ? PIE_ERR_LIMIT : pie_buf_reserve(&channel->out, n + LENGTH_BYTES);
    if (status == PIE_OK) {
        pie_buf_add(&channel->out, length, sizeof length);
        pie_buf_add(&channel->out, text, n);
        status = pie_channel_flush(channel);
    }
    free(text);
    return status;
}

/* A whole message that is already here. */
static pie_status take_message(pie_channel *channel, json_t **ret_message)
{
    const size_t have = channel->in.n - channel->in_at;
    if (have < LENGTH_BYTES)
        return PIE_ERR_AGAIN;
    const uint8_t *at = (const uint8_t *)channel->in.data + channel->in_at;
    const size_t n = (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    if (n > MESSAGE_MAX_BYTES)
        return PIE_ERR_DATA;
    if (have < LENGTH_BYTES + n)
        return PIE_ERR_AGAIN;
    json_t *message = json_loadb((const char *)at + LENGTH_BYTES, n, 0, NULL);
    if (!message)
        return PIE_ERR_DATA;
    channel->in_at += LENGTH_BYTES + n;
    if (channel->in_at == channel->in.n) {
        pie_buf_clear(&channel->in);
        channel->in_at = 0;
    }
    *ret_message = message;
    return PIE_OK;
}

pie_status pie_channel_receive(pie_channel *channel, bool block, json_t **ret_message)
{
    for (;;) {
        pie_status status = take_message(channel, ret_message);
        if (status != PIE_ERR_AGAIN)
            return status;
        if (channel->in_at > 0) {
            memmove(channel->in.data, channel->in.data + channel->in_at,
                    channel->in.n - channel->in_at);
            channel->in.n -= channel->in_at;
            channel->in_at = 0;
        }
        if (pie_buf_reserve(&channel->in, READ_BYTES) != PIE_OK)
            return PIE_ERR_NOMEM;
        const ssize_t n = recv(channel->fd, channel->in.data + channel->in.n, READ_BYTES, 0);
        if (n > 0) {
            channel->in.n += (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            return PIE_ERR_CRASHED;
        if (!block)
            return PIE_ERR_AGAIN;
        struct pollfd wait = {channel->fd, POLLIN, 0};
        if (pie_channel_wants_write(channel))
            wait.events |= POLLOUT;
        if (poll(&wait, 1, -1) < 0 && errno != EINTR)
            return PIE_ERR_IO;
        if (wait.revents & POLLOUT && pie_channel_flush(channel) != PIE_OK)
            return PIE_ERR_CRASHED;
    }
}
