/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mend.h - what capturing does to packets and a network never would, undone before the program
 * sees them: checksums that the sender's NIC was to fill in, packets that were cut short, super-
 * packets of segmentation offload whose IP length is 0 or which no frame can hold.
 */
#ifndef MEND_H
#define MEND_H

#include "capture.h"

struct mend;

/* What was done, in packets. */
struct mend_counts {
	uint64_t unfinished; /* checksum wrong, yet taken for whole: see mend_survey.c */
	uint64_t cut;	     /* cut short: what the capture has of their data is followed */
	uint64_t lost;	     /* cut short so that nothing can be followed */
	uint64_t unheeded;   /* RST or FIN behind which the same direction goes on */
	uint64_t astray;     /* SYN of a connection that never had data, on a key that has */
	uint64_t outdone;    /* have bytes beside which others count: see mend_overlap.c */
	uint64_t super;	     /* longer than any frame, or without a length: divided */
};

/* NULL: no memory. */
struct mend *mend_new(void);
void mend_free(struct mend *mend);

/*
 * Look at a packet before any is followed, in order, for its checksum. 0 or -ENOMEM. Without it, or
 * for what has to be read only once, packets with a wrong checksum stay as they are.
 */
int mend_survey(struct mend *mend, const struct capture_packet *packet);
/* The survey is complete: the packets come again from the first on. */
void mend_surveyed(struct mend *mend);

/* The frames of a packet: begin, then next until it returns 0. */
void mend_begin(struct mend *mend, const struct capture_packet *packet);
int mend_next(struct mend *mend, const void **frame, size_t *len);

const struct mend_counts *mend_counts(const struct mend *mend);

#endif
