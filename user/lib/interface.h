/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * interface.h - what the files about interfaces share; private to the library.
 */
#ifndef XP_INTERFACE_H
#define XP_INTERFACE_H

#include <xdplace/xdplace.h>
#include "netlink.h"

/* A finding, and the error that attaching answers if it is fatal. */
struct xp_finding {
	struct xdplace_finding say;
	int err;
};
#define XP_MAX_FINDINGS 24

/* ---- interface.c ---- */

/* The link that attaches a program to an interface, whoever made it: its descriptor, to be closed,
 * and its id, or -ENOENT. */
int xp_link_on(uint32_t ifindex, uint32_t program, uint32_t *id);

/* ---- egress.c ---- */

/* Attach the egress program in front of others: a link, to be closed, -1: a filter, or -errno. */
int xp_egress_attach(struct xdplace *ctx, const struct xp_link *link, int *fd);
/* How the context's egress program is attached to an interface. */
enum xp_egress xp_egress_on(const struct xdplace *ctx, uint32_t ifindex);
/* Take it away, whoever attached it; `path`: where its link is pinned, or NULL. */
void xp_egress_detach(const struct xdplace *ctx, uint32_t ifindex, const char *path);
/* Has the kernel tcx? */
bool xp_egress_tcx(void);

/* ---- interface_check.c ---- */

/* Returns how many findings there are; at most XP_MAX_FINDINGS. */
int xp_check_link(const struct xp_link *link, enum xdplace_mode mode,
		  struct xp_finding findings[XP_MAX_FINDINGS]);
/* Receive queues in use, at least 1. */
uint32_t xp_link_queues(const struct xp_link *link);

/* ---- interface_refusal.c ---- */

const char *xp_mode_name(enum xdplace_mode mode);
uint32_t xp_mode_flags(enum xdplace_mode mode); /* XDP_FLAGS_* */
/* Id of the program on the interface, in whatever mode; 0: there is none. */
uint32_t xp_program_on(uint32_t ifindex);
/* Translate the kernel's error for this attempt; returns -errno of xdplace_attach(). */
int xp_refused(struct xdplace *ctx, const struct xp_link *link, enum xdplace_mode mode, int err);

/* ---- dispatcher.c: beside other programs, through libxdp ---- */

/*
 * Attach a copy of the placement program, sharing the context's maps. It outlives the process:
 * libxdp pins dispatchers.
 */
int xp_dispatch(struct xdplace *ctx, const struct xp_link *link, enum xdplace_mode mode);
/* True if a program of the context runs on the interface in this way; *mode is set. */
bool xp_dispatched_on(const struct xdplace *ctx, uint32_t ifindex, enum xdplace_mode *mode);
/* Take the context's program away from the interface's dispatcher, whoever attached it. */
int xp_dispatch_remove(struct xdplace *ctx, uint32_t ifindex, const char *ifname);

#endif
