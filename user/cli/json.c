/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * json.c - JSON documents. In: structures of the library. Out: objects whose keys are published:
 * keys may be added, never renamed. Numbers are unsigned 64 bit; what is absent is null.
 */
#include <stdio.h>

#include "cli.h"

void json_add_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

struct json_object *json_add_object(struct json_object *parent, const char *key)
{
	struct json_object *object = json_object_new_object();

	if (parent)
		json_object_object_add(parent, key, object);
	return object;
}

struct json_object *json_add_array(struct json_object *parent, const char *key)
{
	struct json_object *array = json_object_new_array();

	if (parent)
		json_object_object_add(parent, key, array);
	return array;
}

void json_append(struct json_object *array, struct json_object *element)
{
	json_object_array_add(array, element);
}

static void print(struct json_object *document, int flags)
{
	flags |= JSON_C_TO_STRING_NOSLASHESCAPE;
	puts(json_object_to_json_string_ext(document, flags));
	json_object_put(document);
}

void json_print(struct json_object *document)
{
	print(document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

void json_line(struct json_object *document)
{
	print(document, JSON_C_TO_STRING_PLAIN);
}

/* A UMEM offset, area, flow or other number that may be XP_NONE. */
static void add_or_null(struct json_object *object, const char *key, uint32_t value)
{
	if (value == XP_NONE)
		json_add_string(object, key, NULL);
	else
		json_add_u64(object, key, value);
}

static void add_flow_own(struct json_object *object, const struct xp_flow *flow)
{
	struct json_object *own;

	if (!(flow->flags & XP_FLOW_OWN)) {
		json_add_string(object, "own", NULL);
		return;
	}
	own = json_add_object(object, "own");
	json_add_u64(own, "start", flow->own_start);
	json_add_u64(own, "length", flow->own_length);
	json_add_u64(own, "address", flow->own_address);
}

static void add_flow_sequence(struct json_object *object, const struct xp_flow *flow)
{
	json_add_u64(object, "edge", flow->edge);
	json_add_u64(object, "next", flow->next);
	json_add_u64(object, "isn", flow->isn);
	json_add_u64(object, "ack", flow->ack);
	if (flow->flags & XP_FLOW_FIN)
		json_add_u64(object, "fin", flow->fin);
	else
		json_add_string(object, "fin", NULL);
	json_add_bool(object, "holes", flow->early != XP_NONE);
}

/* Of RTP flows: numbers are extended sequence numbers. */
static void add_flow_rtp(struct json_object *object, const struct xp_flow *flow)
{
	struct json_object *rtp;

	if (!(flow->flags & XP_FLOW_RTP)) {
		json_add_string(object, "rtp", NULL);
		return;
	}
	rtp = json_add_object(object, "rtp");
	json_add_u64(rtp, "ssrc", flow->rtp.ssrc);
	json_add_u64(rtp, "slot", 1u << flow->slot_shift);
	json_add_u64(rtp, "first", flow->isn);
	json_add_u64(rtp, "next", flow->isn + (flow->edge >> flow->slot_shift));
	json_add_u64(rtp, "lost", flow->gap_bytes >> flow->slot_shift);
	json_add_u64(rtp, "late", flow->rtp.late);
}

static void add_flow_counters(struct json_object *object, const struct xp_flow *flow)
{
	json_add_u64(object, "packets", flow->packets);
	json_add_u64(object, "bytes", flow->bytes);
	json_add_u64(object, "gaps", flow->gaps);
	json_add_u64(object, "gap_bytes", flow->gap_bytes);
	json_add_u64(object, "repeats", flow->repeats);
	json_add_u64(object, "earlies", flow->earlies);
	json_add_u64(object, "bad_checksums", flow->bad_checksums);
	json_add_u64(object, "whole", flow->whole);
}

struct json_object *json_flow(const struct xdplace *ctx, const struct xp_flow *flow)
{
	struct json_object *object = json_add_object(NULL, NULL);
	char key[160];

	xdplace_key_format(&flow->key, flow->flags & XP_FLOW_V6, key, sizeof(key));
	json_add_string(object, "key", key);
	json_add_u64(object, "handle", flow->handle);
	json_add_string(object, "state", flow_state_name(flow->state));
	json_add_string(object, "verdict", flow->flags & XP_FLOW_TAKE ? "take" : "tap");
	json_add_bool(object, "picked_up", flow->flags & XP_FLOW_PICKED);
	json_add_u64(object, "lane", flow->lane);
	add_flow_sequence(object, flow);
	add_flow_counters(object, flow);
	add_or_null(object, "area", flow->area);
	add_or_null(object, "peer", flow->flags & XP_FLOW_PEER ? flow->peer : XP_NONE);
	json_add_u64(object, "idle_ms", flow_age_ms(ctx, flow->active));
	json_add_u64(object, "age_ms", flow_age_ms(ctx, flow->started));
	add_flow_own(object, flow);
	add_flow_rtp(object, flow);
	return object;
}

static void add_completion_flags(struct json_object *object, uint8_t flags)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} names[] = {{XP_RELEASE_HEADER, "release_header"},
		     {XP_RELEASE_DATA, "release_data"},
		     {XP_RELEASE_DATA2, "release_data2"},
		     {XP_RELEASE_FLOW, "release_flow"},
		     {XP_MORE, "more"},
		     {XP_GAP, "gap"},
		     {XP_CAUGHT_UP, "caught_up"},
		     {XP_FRAME, "frame"}};
	struct json_object *array = json_add_array(object, "flags");
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags & names[i].flag)
			json_append(array, json_object_new_string(names[i].name));
}

struct json_object *json_completion(const struct xdplace *ctx, const struct xp_completion *c)
{
	struct json_object *object = json_add_object(NULL, NULL);

	json_add_string(object, "opcode", xdplace_opcode_name(c->opcode));
	json_add_string(object, "reason", xdplace_reason_name(c->reason));
	add_completion_flags(object, c->flags);
	json_add_u64(object, "lane", c->lane);
	add_or_null(object, "flow", c->flow);
	json_add_u64(object, "offset", c->offset);
	add_or_null(object, "header", c->header);
	json_add_u64(object, "header_len", c->header_len);
	add_or_null(object, "data", c->flags & XP_GAP ? XP_NONE : c->data);
	json_add_u64(object, "data_len", c->data_len);
	add_or_null(object, "data2", c->data2);
	json_add_u64(object, "gap", c->flags & XP_GAP ? c->gap : 0);
	return object;
}

struct json_object *json_rule(const struct xp_rule *rule)
{
	struct json_object *object = json_add_object(NULL, NULL);
	char text[256];

	xdplace_rule_format(rule, text, sizeof(text));
	json_add_u64(object, "id", rule->id);
	json_add_string(object, "verdict", rule->verdict == XP_RULE_TAKE ? "take" : "tap");
	json_add_bool(object, "stream", !(rule->flags & XP_RULE_WHOLE));
	json_add_string(object, "rule", text);
	return object;
}

struct json_object *json_interface(const struct xdplace_interface *interface)
{
	struct json_object *object = json_add_object(NULL, NULL);

	json_add_string(object, "name", interface->name);
	json_add_u64(object, "ifindex", interface->ifindex);
	json_add_string(object, "mode", context_mode_name(interface->mode));
	json_add_u64(object, "queues", interface->queues);
	json_add_u64(object, "lane", interface->lane);
	json_add_u64(object, "lanes", interface->lanes);
	json_add_bool(object, "pinned", interface->pinned);
	json_add_bool(object, "xsk", interface->xsk);
	json_add_string(object, "egress", context_egress_name(interface->egress));
	return object;
}
