/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attached.h - the interfaces that a verb listens to, and whether they are still there.
 */
#ifndef ATTACHED_H
#define ATTACHED_H

#include <stdbool.h>

#include <xdplace/xdplace.h>

struct attached {
	struct xdplace *ctx;
	bool own; /* attached by this process: detached by attached_detach() */
	struct xdplace_interface *interfaces;
	int count;
};

/* 0, or the exit code after saying why. */
int attached_list(struct attached *attached, struct xdplace *ctx, bool own);
/*
 * The name of an interface that has gone, NULL while all is well. Of a context that somebody
 * else made only the last one counts: its owner may attach and detach as he likes.
 */
const char *attached_lost(const struct attached *attached);
/* Detach what is `own`; what has gone by itself is no error. */
void attached_detach(struct attached *attached);
void attached_free(struct attached *attached);

#endif
