/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xdplace.h - the library: contexts, interfaces, rules, flows, lanes, areas, statistics.
 *
 * Every function returns 0 or a positive number on success and -errno on failure; functions that
 * return a pointer return NULL and set errno. The library never prints and never exits: what it
 * has to say in words goes to the log callback, and the last complaint of the calling thread is
 * in xdplace_error(). Every close and free takes NULL.
 *
 * A context may be used by several threads as long as each lane has one consumer and calls that
 * change the context (attach, rules, close) are not made at the same time.
 */
#ifndef XDPLACE_H
#define XDPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <xdplace/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XDPLACE_VERSION "0.1.0"

struct xdplace;	     /* a context */
struct xdplace_lane; /* the consumer's side of one lane */

enum xdplace_log_level { XDPLACE_LOG_WARN, XDPLACE_LOG_INFO, XDPLACE_LOG_DEBUG };
/* `text` is one line without a newline, valid during the call. */
typedef void (*xdplace_log_fn)(void *arg, enum xdplace_log_level level, const char *text);

/* What failed last in this thread, in words, with what to do about it; never NULL. */
const char *xdplace_error(void);

/* ---- context (xdplace-context(3)) ---- */

/*
 * What a context is made of. Zero means the default, given in brackets. `size` must be
 * sizeof(struct xdplace_opts). Powers of two are required where marked (2).
 */
struct xdplace_opts {
	size_t size;
	const char *name;	/* up to 15 characters [PID of the process] */
	const char *pin;	/* pin maps and links as /sys/fs/bpf/xdplace/PIN [not pinned] */
	uint64_t umem_size;	/* bytes, (2), 1 MiB .. 4 GiB [64 MiB] */
	uint32_t area_size;	/* bytes, (2), 4096 .. 32768 [4096] */
	uint32_t threshold;	/* bytes, 64 .. 2048 [256] */
	uint32_t window;	/* bytes that data may land ahead, areas (2) 16 .. 256 [1 MiB] */
	uint32_t flows;		/* 1 .. 1048576, shared out among the lanes [16384] */
	uint32_t early;		/* flows that may have holes at a time [1024 or flows] */
	uint32_t rtp;		/* RTP flows at a time, 1 .. 16384, shared out likewise [256] */
	uint32_t lanes;		/* 1 .. 64 [CPUs] */
	uint32_t ring;		/* completions per lane, (2), 1024 .. 1048576 [4096] */
	uint32_t hot;		/* areas the hot ring has room for, (2), 16 .. 4096 [4096] */
	uint64_t own_size;	/* bytes kept for own areas (R10), at the end of the UMEM [0] */
	uint32_t protocols;	/* XP_P_* [XP_P_ALL] */
	uint32_t flow_age_ms;	/* idle flows end after this [300000]; UINT32_MAX: never */
	uint32_t closed_age_ms; /* entries of ended flows are kept so long [5000] */
	uint32_t hole_age_ms;	/* holes are given up after this [10000]; UINT32_MAX: never */
	uint32_t datagrams;	/* in fragments at a time, 1 .. 16384, shared by the lanes [256] */
	uint32_t fragment_age_ms; /* those are given up after this [30000]; UINT32_MAX: never */
	bool no_checksum;	  /* do not verify checksums: the NIC drops bad packets */
	bool no_pickup;		  /* only flows whose SYN is seen */
	bool frames_xsk;	  /* large whole packets of `take` rules go to AF_XDP sockets */
	bool no_selftest;	  /* skip the start-up self-test */
	xdplace_log_fn log;	  /* [none] */
	void *log_arg;
	enum xp_egress egress; /* place what interfaces send as well [XP_EGRESS_OFF] */
};

/*
 * Load the programs, make and map the UMEM and the rings, run the self-test. Nothing is attached
 * and no packet is touched. Errors: EINVAL a value out of range, EPERM a capability is missing,
 * EEXIST `pin` is taken, EOPNOTSUPP the kernel can't do it, ENOMEM, ENOBUFS locked memory.
 */
struct xdplace *xdplace_open(const struct xdplace_opts *opts);

/*
 * Open a context that another process made: by the name it was pinned under, or by the name of a
 * context that a running process holds (needs CAP_SYS_ADMIN). Errors: ENOENT none of that name,
 * EPROTO made by an incompatible version.
 */
struct xdplace *xdplace_open_existing(const char *name, xdplace_log_fn log, void *log_arg);

/* Detach what this process attached unless pinned, unmap, free. Pinned contexts go on. */
void xdplace_close(struct xdplace *ctx);

/* Detach everything and unpin; what is mapped stays usable until xdplace_close(). */
int xdplace_unload(struct xdplace *ctx);

const struct xp_config *xdplace_config(const struct xdplace *ctx);
void *xdplace_umem(const struct xdplace *ctx, size_t *size); /* mapped read and write */
bool xdplace_pinned(const struct xdplace *ctx);

/* A name, and how it lives: for `status`, `clean`. */
struct xdplace_found {
	char name[16];
	bool pinned;
	bool pins_hidden;    /* not pinned here, but perhaps in another mount namespace */
	bool orphan;	     /* pinned, but no program of it is attached any more */
	uint32_t prog_id;    /* of the placement program, 0: none */
	uint32_t interfaces; /* attached, in all network namespaces */
	bool leftover;	     /* its process was killed, filters of XP_EGRESS_CLSACT are left */
};
/* Calls fn for each context on this machine until it returns non-zero; returns that. */
int xdplace_each(int (*fn)(void *arg, const struct xdplace_found *found), void *arg);
/*
 * Remove pins of `name` whatever state they are in, without opening it, and its filters of
 * XP_EGRESS_CLSACT in this network namespace.
 */
int xdplace_clean(const char *name);

/* ---- interface (xdplace-interface(3)) ---- */

enum xdplace_mode { XDPLACE_NATIVE, XDPLACE_SKB };

struct xdplace_attach_opts {
	size_t size;
	enum xdplace_mode mode;
	bool dispatcher; /* through libxdp, beside other programs */
	bool force;	 /* attach in spite of what the check finds */
};

/* How an interface is attached. */
struct xdplace_interface {
	char name[16];
	uint32_t ifindex;
	enum xdplace_mode mode; /* the real one, as the kernel reports it */
	uint32_t queues;
	uint32_t lane;	/* first lane */
	uint32_t lanes; /* queue q uses lane + q % lanes */
	bool pinned;
	bool xsk;
	enum xp_egress egress; /* the real one: XP_EGRESS_OFF, _TCX or _CLSACT */
};

/*
 * Check the interface, then attach the placement program. Errors: ENODEV no such interface, EBUSY
 * another program is there, EOPNOTSUPP the driver can't, ERANGE MTU too large, ENOSPC too few
 * queues, EPERM; xdplace_error() says what to do.
 */
int xdplace_attach(struct xdplace *ctx, const char *ifname, const struct xdplace_attach_opts *opts);
int xdplace_detach(struct xdplace *ctx, const char *ifname);
/* Copies up to `count` attached interfaces; returns how many there are. */
int xdplace_interfaces(struct xdplace *ctx, struct xdplace_interface *interfaces, size_t count);

/* What the check before attaching finds; also `xdplace doctor`. */
struct xdplace_finding {
	bool fatal;
	bool note;	  /* good to know: nothing is wrong */
	char what[96];	  /* "large-receive-offload is on" */
	char remedy[160]; /* "ethtool -K eth0 lro off" */
};
/* Returns the number of findings, of which up to `count` are copied. */
int xdplace_check_interface(const char *ifname, enum xdplace_mode mode,
			    struct xdplace_finding *findings, size_t count);

/* ---- rule (xdplace-rule(3)) ---- */

/*
 * RULE := [ tap | take ] [ stream | whole ] [ overlap first | overlap drop ] MATCH...
 * MATCH := ip | ip6 | tcp | udp | [ src | dst ] host ADDR | [ src | dst ] net ADDR/BITS
 *	  | [ src | dst ] port N[-M] | vlan [ID] | qinq [OUTER.INNER] | vxlan [VNI]
 *	  | geneve [VNI] | gre [KEY] | ipip | rtp [slot BYTES] [deadline MS] | any
 * Default: tap stream overlap drop. Without src or dst both directions match. rtp: UDP that carries
 *RTP, placed by its sequence numbers in slots of BYTES [2048]; what is missing is given up after MS
 *[50]. On a syntax error returns -EINVAL and sets *where to the offset of the fault in text.
 */
int xdplace_rule_parse(const char *text, struct xp_rule *rule, size_t *where);
/* Writes the rule as xdplace_rule_parse() reads it; returns its length. */
int xdplace_rule_format(const struct xp_rule *rule, char *text, size_t size);
/* 1: a `take` rule that would keep ssh to an address of this machine from the stack. */
int xdplace_rule_takes_management(const struct xp_rule *rule);
/* Returns the rule's id. Errors: ENOSPC more than XP_MAX_RULES, EINVAL slots larger than areas. */
int xdplace_rule_add(struct xdplace *ctx, const struct xp_rule *rule);
int xdplace_rule_del(struct xdplace *ctx, uint32_t id); /* ENOENT */
/* Copies up to `count` rules in order; returns how many there are. */
int xdplace_rules(struct xdplace *ctx, struct xp_rule *rules, size_t count);

/* ---- flow (xdplace-flow(3)) ---- */

struct xdplace_flow_opts {
	size_t size;
	bool take;	      /* as rule `take` [tap] */
	uint32_t lane;	      /* home lane */
	uint64_t own_start;   /* stream offset at which the own area begins */
	uint32_t own_length;  /* bytes, a multiple of the area size; 0: no own area */
	uint32_t own_address; /* UMEM offset, a multiple of the area size, within own_size */
	bool rtp;	      /* UDP that carries RTP: placed by its sequence numbers */
	uint32_t slot;	      /* bytes of a packet's slot, (2), 64 .. area size [2048] */
	uint32_t deadline_ms; /* missing packets are given up after this, up to 32767 [50] */
};
/*
 * Expect a flow: its packets are placed without a rule. Returns 0, *handle set. EEXIST, ENOSPC;
 * ENOBUFS: as many RTP flows as the lane can have.
 */
int xdplace_flow_add(struct xdplace *ctx, const union xp_key *key, bool v6,
		     const struct xdplace_flow_opts *opts, uint32_t *handle);
/* Ends the flow; its lane gets the completion that says so. ENOENT: no such flow (any more). */
int xdplace_flow_del(struct xdplace *ctx, uint32_t handle);
/* Give a flow its own area (R10). EBUSY: bytes from own_start on were placed already. */
int xdplace_flow_own(struct xdplace *ctx, uint32_t handle, const struct xdplace_flow_opts *opts);
int xdplace_flow_find(struct xdplace *ctx, const union xp_key *key, bool v6, uint32_t *handle);
/* A copy of its state, taken while packets may change it. ENOENT if the handle has gone. */
int xdplace_flow_get(struct xdplace *ctx, uint32_t handle, struct xp_flow *flow);
/* Calls fn for each flow that is not free until it returns non-zero; returns that. */
int xdplace_flow_each(struct xdplace *ctx, int (*fn)(void *arg, const struct xp_flow *flow),
		      void *arg);
/* "tcp 10.0.0.1:80 > 10.0.0.2:4711 vlan 7"; returns its length. */
int xdplace_key_format(const union xp_key *key, bool v6, char *text, size_t size);
/* The same text read back; -EINVAL and *where as for rules. */
int xdplace_key_parse(const char *text, union xp_key *key, bool *v6, size_t *where);
void xdplace_key_reverse(const union xp_key *key, bool v6, union xp_key *reverse);

/* ---- lane (xdplace-lane(3)): the consumer ---- */

/*
 * Become the consumer of a lane. EBUSY: it has one already (also in another process). Areas that
 * a consumer which died held are offered again.
 */
struct xdplace_lane *xdplace_lane_open(struct xdplace *ctx, uint32_t lane);
void xdplace_lane_close(struct xdplace_lane *lane);

/*
 * Up to `count` completions that are ready, in order, without waiting. They stay valid, and so
 * does what they name, until released. Completions come again until they are released, also to
 * the next consumer of the lane.
 */
int xdplace_lane_poll(struct xdplace_lane *lane, struct xp_completion *completions, size_t count);
/* Finish with the oldest n polled completions: their areas marked XP_RELEASE_* are free again. */
int xdplace_lane_release(struct xdplace_lane *lane, size_t n);
/*
 * Keep the areas of a polled completion (flags XP_RELEASE_*) beyond its release: they are the
 * caller's until xdplace_area_release(). index counts from the oldest polled completion.
 */
int xdplace_lane_keep(struct xdplace_lane *lane, size_t index, uint8_t flags);
int xdplace_area_release(struct xdplace_lane *lane, uint32_t area);
/*
 * Sleep until there are completions: > 0 there are, 0 timeout, -EINTR. timeout_ms < 0: for ever.
 * Also does the lane's housekeeping (ages). In fast streams it naps some 20 us before it asks to be
 * woken, so that completions come in batches.
 */
int xdplace_lane_wait(struct xdplace_lane *lane, int timeout_ms);
/*
 * For an event loop of the caller's: xdplace_lane_sleep() asks for a wake-up and returns > 0 if
 * completions are there already; else poll xdplace_lane_fd() for POLLIN, then
 * xdplace_lane_awake().
 */
int xdplace_lane_fd(struct xdplace_lane *lane);
int xdplace_lane_sleep(struct xdplace_lane *lane);
void xdplace_lane_awake(struct xdplace_lane *lane);
/* End aged flows, give up aged holes; call now and then where xdplace_lane_wait() is not used. */
int xdplace_lane_tick(struct xdplace_lane *lane);
/* End all flows of the lane, giving up their holes (end of a capture). */
int xdplace_lane_flush(struct xdplace_lane *lane);

/* ---- frames by AF_XDP (xdplace-frames(3)): contexts with `frames_xsk` ---- */

/* A large whole packet that came through an AF_XDP socket. */
struct xdplace_frame {
	struct xp_completion completion; /* XP_FRAME; `data` and `data_len` are set */
	const void *data;		 /* the packet, completion.data_len bytes, in the UMEM */
	uint32_t ifindex;
	uint32_t queue;
};

/*
 * Open a socket for each queue that feeds the lane, of the interfaces attached by now in this
 * network namespace; returns how many there are. The sockets are this process's and end with it,
 * with xdplace_lane_close() or xdplace_frames_close(). Where there is no socket, packets are
 * placed by copying, and the counter `no_socket` goes up.
 * Errors: EOPNOTSUPP the context is without frames_xsk, EEXIST they are open already, EPERM
 * CAP_NET_RAW is missing, EBUSY another socket has the queue, ENOSPC too many queues for the
 * lane's share of the UMEM, ENOBUFS locked memory; then none is open.
 */
int xdplace_frames_open(struct xdplace_lane *lane);
/* Frames not released, and those that nobody has polled, are lost. */
void xdplace_frames_close(struct xdplace_lane *lane);
/*
 * Up to `count` frames that are ready, in order for each queue, without waiting and without a
 * system call. Each is the caller's until released. From xdplace_frames_open() on
 * xdplace_lane_wait(), _sleep() and _fd() tell of frames as well: poll both.
 */
int xdplace_frames_poll(struct xdplace_lane *lane, struct xdplace_frame *frames, size_t count);
/*
 * Give frames back, in any order; a socket without free frames drops what comes. EINVAL: one is
 * not held; those before it are given back.
 */
int xdplace_frames_release(struct xdplace_lane *lane, const struct xdplace_frame *frames,
			   size_t count);

struct xdplace_frames_socket {
	char name[16]; /* of the interface */
	uint32_t ifindex;
	uint32_t queue;
	bool zero_copy;	     /* as the kernel reports it */
	uint32_t room;	     /* frames */
	uint32_t held;	     /* of them polled and not released */
	uint64_t dropped;    /* packets lost for want of a free frame */
	uint64_t fill_empty; /* times that the kernel found none */
};
/* Copies up to `count` sockets of the lane; returns how many there are. */
int xdplace_frames_sockets(struct xdplace_lane *lane, struct xdplace_frames_socket *sockets,
			   size_t count);

/* The header (or whole small packet), NULL if there is none; *len bytes. */
const void *xdplace_header(const struct xdplace *ctx, const struct xp_completion *c, size_t *len);
/* The data as one or two pieces; returns how many. Offsets are checked against the UMEM. */
int xdplace_data(const struct xdplace *ctx, const struct xp_completion *c, struct iovec iov[2]);
/* True for completions that tell of stream data in sequence. */
static inline bool xdplace_in_sequence(const struct xp_completion *c)
{
	return c->data_len && !(c->flags & (XP_GAP | XP_FRAME)) &&
	       (c->opcode == XP_APPEND || c->opcode == XP_LAST || c->opcode == XP_FIRST ||
		c->opcode == XP_REPLACE);
}

/* ---- RTP (xdplace-rtp(3)): flows of rules with `rtp`, whose completions count in packets ---- */

/* What the header of one packet says. */
struct xdplace_rtp_header {
	uint32_t timestamp;
	uint32_t ssrc;
	uint16_t sequence;
	uint8_t type; /* of the payload */
	bool marker;
	uint8_t csrcs;	       /* contributing sources */
	const void *csrc;      /* they, 4 bytes each, in network byte order */
	const void *extension; /* NULL: none; its first word is profile and length */
	size_t extension_len;  /* bytes, that word among them */
};
/*
 * Read the RTP header that a completion names. ENOENT: it names none; that of a packet that was
 * told early came with EARLY, before.
 */
int xdplace_rtp_header(const struct xdplace *ctx, const struct xp_completion *c,
		       struct xdplace_rtp_header *header);

/* A reader of one RTP flow, zero at first: it remembers headers until it is their packet's turn. */
struct xdplace_rtp {
	struct xdplace_rtp_early {
		uint64_t number; /* + 1; 0: none */
		uint32_t timestamp;
		uint32_t ssrc;
		uint8_t type;
		bool marker;
	} early[XP_RTP_WINDOW];
};
/* A packet in media order, or packets that are missing there. */
struct xdplace_rtp_packet {
	uint64_t number;   /* extended sequence number: the low 16 bits are those on the wire */
	uint32_t missing;  /* so many packets from `number` on will not come; 0: here is one */
	bool header_known; /* false: the header was told to a consumer before this one */
	bool marker;
	uint8_t type;
	uint32_t timestamp;
	uint32_t ssrc;
	struct iovec payload; /* in the UMEM, valid until the completion is released */
};
/*
 * Give the reader each completion of its flow, in order. 1: *packet is set; 0: the completion tells
 * nothing in sequence.
 */
int xdplace_rtp_read(struct xdplace_rtp *rtp, const struct xdplace *ctx,
		     const struct xp_completion *c, struct xdplace_rtp_packet *packet);

/* ---- area (xdplace-area(3)) ---- */

enum xdplace_area_state {
	XDPLACE_AREA_FREE,     /* offered in a free ring */
	XDPLACE_AREA_PLACING,  /* the XDP program's */
	XDPLACE_AREA_CONSUMER, /* named by completions not yet released, or kept */
	XDPLACE_AREA_OWN,      /* in the range for own areas (R10) */
	XDPLACE_AREA_GUARD,    /* last of a bank, never used */
	XDPLACE_AREA_XSK,      /* with an AF_XDP socket */
	XDPLACE_AREA_LOST,     /* none of these: a leak */
	XDPLACE_AREA_TWICE,    /* more than one of these: user space offered it twice */
	XDPLACE_AREA_STATES
};
struct xdplace_audit {
	uint32_t state[XDPLACE_AREA_STATES]; /* areas in each state */
	uint32_t kind[XP_AREA_KINDS];	     /* of those the program places into, by kind */
};
/* Account for every area. Exact while nothing moves; areas in motion are looked at again. */
int xdplace_audit(struct xdplace *ctx, struct xdplace_audit *audit);
/*
 * Calls fn with each area, of one account: its state, and what the program says of it
 * (XP_AREA_KIND, XP_AREA_OWNER), until it returns non-zero; returns that.
 */
typedef int (*xdplace_area_fn)(void *arg, uint32_t area, enum xdplace_area_state state,
			       uint32_t kind);
int xdplace_area_each(struct xdplace *ctx, xdplace_area_fn fn, void *arg);
/* The same of one area; for many, xdplace_area_each() accounts once. */
int xdplace_area_get(struct xdplace *ctx, uint32_t area, enum xdplace_area_state *state,
		     uint32_t *kind);
const char *xdplace_area_state_name(enum xdplace_area_state state);
const char *xdplace_area_kind_name(enum xp_area_kind kind);

/* ---- statistics (xdplace-stats(3)) ---- */

/* Sums over CPUs; lane XP_NONE: over lanes too. */
int xdplace_stats(struct xdplace *ctx, uint32_t lane, struct xp_counters *counters);
const char *xdplace_opcode_name(unsigned opcode);
const char *xdplace_opcode_meaning(unsigned opcode);
const char *xdplace_reason_name(unsigned reason);
const char *xdplace_reason_meaning(unsigned reason);

/* ---- packets without a device (R18, xdplace-run(3)) ---- */

/* Give the program one frame as if it came in on `lane`; returns the XDP action or -errno. */
int xdplace_run(struct xdplace *ctx, uint32_t lane, const void *frame, size_t len);

/* ---- what the machine can do (xdplace doctor) ---- */

enum xdplace_check_state { XDPLACE_CHECK_OK, XDPLACE_CHECK_WARN, XDPLACE_CHECK_FAIL };
struct xdplace_check {
	const char *name; /* "af_xdp_umem" */
	enum xdplace_check_state state;
	char detail[160];
	char remedy[160];
};
/* Returns the number of checks, of which up to `count` are copied. */
int xdplace_check_kernel(struct xdplace_check *checks, size_t count);

#ifdef __cplusplus
}
#endif
#endif
