/* channel.h - JSON messages between the coordinator and its processes, over a socket pair.
 *
 * Neither side ever blocks on sending while the other sends: what the socket does not take waits in
 * memory. Messages carry digests of texts, never the texts, so they are small. */
#ifndef PIE_PIPELINE_CHANNEL_H
#define PIE_PIPELINE_CHANNEL_H

#include "pie/plugin.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct pie_channel pie_channel;

/* Takes over @fd (a stream socket). PIE_ERR_NOMEM: @fd stays the caller's. */
pie_status pie_channel_new(int fd, pie_channel **ret_channel);
void pie_channel_free(pie_channel *channel);
int pie_channel_fd(const pie_channel *channel);

/* Queue @message (the reference is taken, also on failure; NULL = PIE_ERR_NOMEM) and send what the
 * socket takes. PIE_ERR_CRASHED: the other side is gone. */
pie_status pie_channel_send(pie_channel *channel, json_t *message);
/* Send more of what waits. */
pie_status pie_channel_flush(pie_channel *channel);
/* Something waits to be sent: poll for writing too. */
bool pie_channel_wants_write(const pie_channel *channel);
/* Next message; new reference. PIE_ERR_AGAIN: none whole yet (only when !@block). PIE_ERR_CRASHED:
 * the other side is gone. PIE_ERR_DATA: not our protocol. While blocking, what waits is sent too.
 */
pie_status pie_channel_receive(pie_channel *channel, bool block, json_t **ret_message);

#endif
