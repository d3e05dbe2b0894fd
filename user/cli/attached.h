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
 * True when there is nothing left to listen to, after saying so; *code is the exit code then: an
 * interface that was removed is a failure, a context that was unloaded by command is not. Of a
 * context that somebody else made only its last interface counts: its owner may attach and
 * detach.
 */
bool attached_over(const struct attached *attached, int *code);
/* Detach what is `own`; what has gone by itself is no error. */
void attached_detach(struct attached *attached);
void attached_free(struct attached *attached);

#endif
