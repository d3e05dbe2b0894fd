/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_watch.c - in: the lanes of a context, made here for the interfaces named, or one that is
 * there already. Out: a line for each completion, as it comes.
 *
 * It is a consumer like any other: it must be the only one of each lane, and what it has printed
 * is released.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attached.h"
#include "cli.h"

#define WATCH_BATCH 256
#define WATCH_WAIT_MS 100
#define WATCH_TICK_NS 1000000000ull
#define WATCH_KEYS 4096u /* flows whose names are remembered, power of two */
#define WATCH_KEY_TEXT 128u

enum option_key {
	KEY_PAYLOAD = CLI_LONG + 100,
	KEY_BYTES,
};

static const struct cli_option watch_list[] = {
	{"count", 'c', "N", "end after so many completions"},
	{"payload", KEY_PAYLOAD, NULL, "add the bytes"},
	{"bytes", KEY_BYTES, "N", "so many of them at most (256)"},
	{"pin", 'p', "NAME", NULL},
	{NULL, 0, NULL, NULL},
};

struct watch_key {
	uint32_t handle; /* 0: none; text is for this one */
	char text[WATCH_KEY_TEXT];
};

struct watch {
	struct xdplace *ctx;
	struct attached attached;
	struct xdplace_lane *lanes[XP_MAX_LANES];
	uint32_t lane_count;
	uint64_t count; /* completions to print, UINT64_MAX: no end */
	bool payload;
	bool frames; /* large whole packets come by AF_XDP */
	size_t bytes;
	uint64_t start_ns, tick_ns;
	uint32_t area_shift;
	struct watch_key keys[WATCH_KEYS];
};

static void set_watch(void *to, int key, const char *argument)
{
	struct watch *watch = to;

	switch (key) {
	case 'p':
		cli_usage("--pin: use 'xdplace load --pin', then 'xdplace watch -n'");
	case 'c':
		watch->count = cli_number("--count", argument, 1, UINT64_MAX);
		break;
	case KEY_PAYLOAD:
		watch->payload = true;
		break;
	case KEY_BYTES:
		watch->bytes = cli_number("--bytes", argument, 1, UINT32_MAX);
		break;
	}
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The flow's key as text; its handle if the flow has gone; NULL if it is of no flow. */
static const char *key_text(struct watch *watch, uint32_t handle)
{
	struct watch_key *key = &watch->keys[XP_FLOW_INDEX(handle) & (WATCH_KEYS - 1)];
	struct xp_flow flow;

	if (handle == XP_NONE)
		return NULL;
	if (key->handle == handle && *key->text)
		return key->text;
	key->handle = handle;
	if (xdplace_flow_get(watch->ctx, handle, &flow))
		snprintf(key->text, sizeof(key->text), "flow 0x%x", handle);
	else
		xdplace_key_format(&flow.key, flow.flags & XP_FLOW_V6, key->text,
				   sizeof(key->text));
	return key->text;
}

/* ---- bytes ---- */

/* What is worth showing of a completion: its data, or a packet that was kept whole. */
static int payload(const struct watch *watch, const struct xp_completion *c, struct iovec iov[2])
{
	int pieces = 0;

	if (c->data_len && !(c->flags & XP_GAP))
		pieces = xdplace_data(watch->ctx, c, iov);
	if (pieces || c->flow != XP_NONE)
		return pieces;
	iov->iov_base = (void *)xdplace_header(watch->ctx, c, &iov->iov_len);
	return iov->iov_base ? 1 : 0;
}

static void dump_line(size_t offset, const uint8_t *bytes, size_t count)
{
	size_t i;

	printf("    %04zx ", offset);
	for (i = 0; i < 16; i++) {
		if (i < count)
			printf(" %02x", bytes[i]);
		else
			fputs("   ", stdout);
	}
	fputs("  ", stdout);
	for (i = 0; i < count; i++)
		putchar(isprint(bytes[i]) ? bytes[i] : '.');
	putchar('\n');
}

static void dump(const struct watch *watch, const struct xp_completion *c)
{
	struct iovec iov[2];
	int i, pieces = payload(watch, c, iov);
	uint8_t line[16];
	size_t n = 0, total = 0, at;

	for (i = 0; i < pieces; i++) {
		for (at = 0; at < iov[i].iov_len && total < watch->bytes; at++) {
			line[n++] = ((const uint8_t *)iov[i].iov_base)[at];
			total++;
			if (n < sizeof(line))
				continue;
			dump_line(total - n, line, n);
			n = 0;
		}
	}
	if (n)
		dump_line(total - n, line, n);
}

static void json_payload(const struct watch *watch, const struct xp_completion *c,
			 struct json_object *object)
{
	static const char digits[] = "0123456789abcdef";
	struct iovec iov[2];
	int i, pieces = payload(watch, c, iov);
	size_t at, n = 0, size = 1;
	uint8_t byte;
	char *hex;

	for (i = 0; i < pieces; i++)
		size += 2 * iov[i].iov_len;
	hex = malloc(size);
	if (!hex)
		return;
	for (i = 0; i < pieces; i++) {
		for (at = 0; at < iov[i].iov_len && n < 2 * watch->bytes; at++) {
			byte = ((const uint8_t *)iov[i].iov_base)[at];
			hex[n++] = digits[byte >> 4];
			hex[n++] = digits[byte & 15];
		}
	}
	hex[n] = 0;
	json_add_string(object, "payload", hex);
	free(hex);
}

/* ---- a line ---- */

/* " data 17+1460": area and byte in it. */
static void print_place(const struct watch *watch, const char *what, uint32_t offset)
{
	if (offset != XP_NONE)
		printf(" %s %u+%u", what, offset >> watch->area_shift,
		       offset & ((1u << watch->area_shift) - 1));
}

static void print_flags(uint8_t flags)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} names[] = {
		{XP_RELEASE_HEADER, "release-header"},
		{XP_RELEASE_DATA, "release-data"},
		{XP_RELEASE_DATA2, "release-data2"},
		{XP_RELEASE_FLOW, "release-flow"},
		{XP_MORE, "more"},
		{XP_CAUGHT_UP, "caught-up"},
		{XP_FRAME, "frame"},
	};
	const char *lead = " [";
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!(flags & names[i].flag))
			continue;
		printf("%s%s", lead, names[i].name);
		lead = " ";
	}
	if (*lead == ' ' && !lead[1])
		putchar(']');
}

static void print_text(struct watch *watch, const struct xp_completion *c, double seconds)
{
	const char *key = key_text(watch, c->flow);

	printf("%.6f lane %u %s", seconds, c->lane, xdplace_opcode_name(c->opcode));
	if (c->reason != XP_R_OK)
		printf(" (%s)", xdplace_reason_name(c->reason));
	printf(" %s", key ? key : "-");
	if (c->flags & XP_GAP)
		printf(" offset %llu gap %u", (unsigned long long)c->offset, c->gap);
	else if (c->reason == XP_R_RTP)
		printf(" packet %llu length %u", (unsigned long long)c->offset, c->data_len);
	else if (c->data_len)
		printf(" offset %llu length %u", (unsigned long long)c->offset, c->data_len);
	print_place(watch, "header", c->header);
	if (c->header != XP_NONE)
		printf(" length %u", c->header_len);
	if (!(c->flags & XP_GAP))
		print_place(watch, "data", c->data);
	print_place(watch, "data2", c->data2);
	print_flags(c->flags);
	putchar('\n');
	if (watch->payload)
		dump(watch, c);
}

static void print_json(struct watch *watch, const struct xp_completion *c, double seconds)
{
	struct json_object *object = json_completion(watch->ctx, c);
	char time[32];

	snprintf(time, sizeof(time), "%.6f", seconds);
	json_object_object_add(object, "time", json_object_new_double_s(seconds, time));
	json_add_string(object, "key", key_text(watch, c->flow));
	if (watch->payload)
		json_payload(watch, c, object);
	json_line(object);
}

static void print(struct watch *watch, const struct xp_completion *c)
{
	double seconds = (double)(now_ns() - watch->start_ns) / 1e9;

	if (cli.json)
		print_json(watch, c, seconds);
	else
		print_text(watch, c, seconds);
	/* The entry may be another flow's before its index is seen again. */
	if (c->flags & XP_RELEASE_FLOW)
		watch->keys[XP_FLOW_INDEX(c->flow) & (WATCH_KEYS - 1)].text[0] = 0;
}

/* ---- the lanes ---- */

/* Completions printed, or -errno. */
static int take(struct watch *watch, struct xdplace_lane *lane)
{
	struct xp_completion completions[WATCH_BATCH];
	size_t room = WATCH_BATCH;
	int i, n, err;

	if (room > watch->count)
		room = (size_t)watch->count;
	n = xdplace_lane_poll(lane, completions, room);
	if (n <= 0)
		return n;
	for (i = 0; i < n; i++)
		print(watch, &completions[i]);
	if (watch->count != UINT64_MAX)
		watch->count -= (uint64_t)n;
	err = xdplace_lane_release(lane, (size_t)n);
	return err < 0 ? err : n;
}

/* Frames by AF_XDP: printed like completions, which they bring with them. */
static int take_frames(struct watch *watch, struct xdplace_lane *lane)
{
	struct xdplace_frame frames[WATCH_BATCH];
	size_t room = WATCH_BATCH;
	int i, n, err;

	if (room > watch->count)
		room = (size_t)watch->count;
	n = xdplace_frames_poll(lane, frames, room);
	if (n <= 0)
		return n;
	for (i = 0; i < n; i++)
		print(watch, &frames[i].completion);
	if (watch->count != UINT64_MAX)
		watch->count -= (uint64_t)n;
	err = xdplace_frames_release(lane, frames, (size_t)n);
	return err < 0 ? err : n;
}

static void wait_for_more(struct watch *watch)
{
	struct pollfd fds[XP_MAX_LANES];
	bool ready = false;
	uint32_t i;

	for (i = 0; i < watch->lane_count; i++) {
		fds[i] = (struct pollfd){xdplace_lane_fd(watch->lanes[i]), POLLIN, 0};
		if (xdplace_lane_sleep(watch->lanes[i]) > 0)
			ready = true;
	}
	if (!ready)
		poll(fds, watch->lane_count, WATCH_WAIT_MS);
	for (i = 0; i < watch->lane_count; i++)
		xdplace_lane_awake(watch->lanes[i]);
}

static void tick(struct watch *watch)
{
	uint64_t now = now_ns();
	uint32_t i;

	if (now - watch->tick_ns < WATCH_TICK_NS)
		return;
	watch->tick_ns = now;
	for (i = 0; i < watch->lane_count; i++)
		xdplace_lane_tick(watch->lanes[i]);
}

/* One round over the lanes: completions printed, or -errno. */
static int take_all(struct watch *watch)
{
	int n, taken = 0;
	uint32_t i;

	for (i = 0; i < watch->lane_count && watch->count && !cli_stop; i++) {
		n = take(watch, watch->lanes[i]);
		if (n < 0)
			return n;
		taken += n;
		n = watch->frames && watch->count ? take_frames(watch, watch->lanes[i]) : 0;
		if (n < 0)
			return n;
		taken += n;
	}
	return taken;
}

static int run(struct watch *watch)
{
	int n, code;

	watch->start_ns = watch->tick_ns = now_ns();
	while (!cli_stop && watch->count) {
		n = take_all(watch);
		if (n < 0)
			return cli_error(n, "take completions");
		if (!cli_flush())
			return 0;
		tick(watch);
		if (n)
			continue;
		if (attached_over(&watch->attached, &code))
			return code;
		wait_for_more(watch);
	}
	return 0;
}

static int open_lanes(struct watch *watch)
{
	uint32_t i;
	int err;

	watch->frames = xdplace_config(watch->ctx)->knobs & XP_KNOB_XSK;
	watch->lane_count = xdplace_config(watch->ctx)->lanes;
	for (i = 0; i < watch->lane_count; i++) {
		watch->lanes[i] = xdplace_lane_open(watch->ctx, i);
		if (!watch->lanes[i])
			return cli_error(-errno, "become the consumer of lane %u", i);
		err = watch->frames ? xdplace_frames_open(watch->lanes[i]) : 0;
		if (err < 0)
			return cli_error(err, "open the AF_XDP sockets of lane %u", i);
	}
	return 0;
}

int verb_watch(int argc, char **argv)
{
	static struct context_options context;
	static struct watch watch = {.count = UINT64_MAX, .bytes = 256};
	struct cli_set sets[] = {{watch_list, set_watch, &watch, NULL}, context_set(&context)};
	int first, code;
	uint32_t i;

	first = cli_parse(argc, argv, sets, 2);
	if (first < argc)
		watch.ctx = context_open(&context, argv + first, argc - first, "tap any");
	else
		watch.ctx = cli_open();
	watch.area_shift = xdplace_config(watch.ctx)->area_shift;
	cli_catch_signals();
	code = attached_list(&watch.attached, watch.ctx, first < argc);
	if (!code)
		code = open_lanes(&watch);
	if (!code)
		code = run(&watch);
	attached_detach(&watch.attached);
	for (i = 0; i < watch.lane_count; i++)
		xdplace_lane_close(watch.lanes[i]);
	attached_free(&watch.attached);
	xdplace_close(watch.ctx);
	return cli_finish(code);
}
