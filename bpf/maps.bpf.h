/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.bpf.h - the maps, their accessors, and the knobs.
 *
 * Sizes that depend on the configuration are set by the library before loading; here they have
 * the smallest value that loads. Who writes what: see abi.h, (k) and (u).
 */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <xdplace/abi.h>
#include "compiler.h"
#include "cursor.h"

const volatile struct xp_config xp_config = {.abi = XP_ABI};

/* The memory. value_size and max_entries: bank size and banks. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, 4);
	__uint(value_size, 1 << 20);
	__uint(max_entries, 1);
} xp_umem SEC(".maps");

/* Shared part of each lane. max_entries: lanes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct xp_lane);
	__uint(max_entries, 1);
} xp_lanes SEC(".maps");

/* Completion rings of all lanes, one behind the other. max_entries: lanes * ring. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct xp_completion);
	__uint(max_entries, XP_MIN_RING);
} xp_ring SEC(".maps");

/* Free rings of all lanes: hot, then cold. max_entries: lanes * (hot + cold). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct xp_free_group);
	__uint(max_entries, 8);
} xp_free SEC(".maps");

/* Private part of each lane (k). max_entries: lanes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_cursor);
	__uint(max_entries, 1);
} xp_cursors SEC(".maps");

/* Key -> flow handle (k). max_entries: flows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct xp_key4);
	__type(value, __u32);
	__uint(max_entries, 1);
} xp_flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct xp_key6);
	__type(value, __u32);
	__uint(max_entries, 1);
} xp_flows6 SEC(".maps");

/* Flow state (k). max_entries: lanes * flows of a lane. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_flow);
	__uint(max_entries, 1);
} xp_flow SEC(".maps");

/* Flows that a lane has seen lately, by a hash of their key (k). max_entries: lanes times that. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_recent);
	__uint(max_entries, XP_RECENT);
} xp_recent SEC(".maps");

/* Blocks for flows with holes (k). max_entries: lanes * early blocks of a lane. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_early);
	__uint(max_entries, 1);
} xp_early SEC(".maps");

/* Datagrams that come in fragments (k). max_entries: lanes * datagrams of a lane. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_datagram);
	__uint(max_entries, 1);
} xp_datagram SEC(".maps");

/* Key of their fragments (xp_fragment_key()) -> index (k). max_entries: the same. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, union xp_key);
	__type(value, __u32);
	__uint(max_entries, 1);
} xp_datagrams SEC(".maps");

/* Blocks for RTP flows (k). max_entries: lanes * RTP blocks of a lane. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_rtp);
	__uint(max_entries, 1);
} xp_rtp SEC(".maps");

/* State of each area (k), for the audit and against areas that are offered twice. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} xp_areas SEC(".maps");

/* Rules (u), two halves of which xp_settings names the one in use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_rule);
	__uint(max_entries, 2 * XP_MAX_RULES);
} xp_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_settings);
	__uint(max_entries, 1);
} xp_settings SEC(".maps");

/* Interfaces (u), at ifindex % XP_MAX_PORTS. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_port);
	__uint(max_entries, XP_MAX_PORTS);
} xp_ports SEC(".maps");

/* Counters by lane (k). max_entries: lanes. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct xp_counters);
	__uint(max_entries, 1);
} xp_reasons SEC(".maps");

/*
 * Token of a command -> its answer (k), which user space takes out. Not LRU: such a map gives
 * entries to CPUs by the 128, and throws out the newest when one of them has none left.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct xp_answer);
	__uint(max_entries, XP_ANSWERS);
} xp_answers SEC(".maps");

/* Wake-ups: a ring buffer for each lane, so that each consumer has a descriptor of its own. */
struct xp_event_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, XP_MAX_LANES);
	__type(key, __u32);
	__array(values, struct xp_event_ring);
} xp_events SEC(".maps");

/* AF_XDP sockets for large whole packets (u), by interface and queue: XP_XSK_PLACE(). */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, XP_XSK_PLACES);
} xp_xsks SEC(".maps");

#endif
