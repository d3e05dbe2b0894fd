/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * outcome.c - lists of events, in the one form in which model and program are compared: what only
 * continues the event before it is part of that. Where areas end is not seen any more.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

static void *grown(void *memory, size_t *room, size_t need, size_t size)
{
	if (need <= *room)
		return memory;
	*room = 2 * need + 64;
	memory = realloc(memory, *room * size);
	if (!memory)
		abort();
	return memory;
}

static bool continues(const struct event *last, const struct event *next)
{
	if (last->lane != next->lane)
		return false;
	/* That a datagram was given up is told with its areas, two at a time. */
	if (last->opcode == XP_FRAGMENT && next->opcode == XP_FRAGMENT && last->reason &&
	    last->reason == next->reason && !last->length && !next->length)
		return true;
	/* Each packet is one: what looks like the next bytes is another number. */
	if (last->reason == XP_R_RTP || next->reason == XP_R_RTP)
		return false;
	if (last->flow != next->flow || last->flags & (XP_GAP | XP_RELEASE_FLOW))
		return false;
	if ((last->flags ^ next->flags) & ~XP_RELEASE_FLOW || !last->length || !next->length)
		return false;
	if (last->flags & XP_FRAME)
		return last->opcode == next->opcode && last->reason == next->reason;
	if (last->offset + last->length != next->offset)
		return false;
	if (last->opcode == XP_APPEND && next->opcode == XP_LAST)
		return true;
	return last->opcode == next->opcode && last->reason == next->reason;
}

void outcome_add(struct outcome *out, const struct event *event, const uint8_t *data)
{
	struct event *last = out->events ? &out->event[out->events - 1] : NULL;
	size_t bytes = data && !(event->flags & XP_GAP) ? event->length : 0;

	out->bytes = grown(out->bytes, &out->byte_room, out->used + bytes, 1);
	if (bytes)
		memcpy(out->bytes + out->used, data, bytes);
	out->used += bytes;
	if (last && !out->sealed && continues(last, event)) {
		last->length += event->length;
		last->opcode = event->opcode;
		last->reason = event->reason;
		last->flags = event->flags;
		return;
	}
	out->sealed = false;
	out->event = grown(out->event, &out->event_room, out->events + 1, sizeof(*event));
	out->event[out->events] = *event;
	out->event[out->events++].bytes = out->used - bytes;
}

void outcome_clear(struct outcome *out)
{
	out->action = -1;
	out->header = 0;
	out->events = 0;
	out->used = 0;
	out->sealed = false;
}

/* By insertion: stable, and there are few. */
void outcome_sort(struct outcome *out)
{
	struct event event;
	size_t i, k;

	for (i = 1; i < out->events; i++) {
		event = out->event[i];
		for (k = i; k && out->event[k - 1].flow > event.flow; k--)
			out->event[k] = out->event[k - 1];
		out->event[k] = event;
	}
}

void outcome_free(struct outcome *out)
{
	free(out->event);
	free(out->bytes);
	memset(out, 0, sizeof(*out));
}
