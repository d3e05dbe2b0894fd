/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mend_survey.h - which wrong checksums are the capture's fault, not damage; which RST was the end;
 * which of different bytes count.
 */
#ifndef MEND_SURVEY_H
#define MEND_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "checksum.h"
#include "mend_overlap.h"

struct survey;

/* What is known of a packet beside its headers. */
struct survey_seen {
	uint64_t number; /* of the packet in the capture */
	const uint8_t *data;
	bool good; /* its checksums hold */
};

struct survey *survey_new(void);
void survey_free(struct survey *survey);
/* A packet that is all there, in the order of the capture. 0 or -ENOMEM. */
int survey_add(struct survey *survey, const struct xp_packet *packet,
	       const struct survey_seen *seen);
/* From the first packet again. False: nothing was unusual, nobody needs to ask. */
bool survey_rewind(struct survey *survey);
/* The same packets again, in order: is this one, whose checksum is wrong, to be trusted? */
bool survey_trusts(struct survey *survey, const struct xp_packet *packet, bool good);
/* Asked after that: does its direction send more data, in the same connection? */
bool survey_goes_on(struct survey *survey, const struct xp_packet *packet);
/* Does its direction have other data where this FIN stands? */
bool survey_does_not_end(struct survey *survey, const struct xp_packet *packet);
/* Does this SYN begin a connection without data, while others on the key have some? */
bool survey_leads_nowhere(struct survey *survey, const struct xp_packet *packet);

/* Asked after that, too: what of its data does not count, in order; NULL: all of it does. */
const struct overlap_cut *survey_cuts(struct survey *survey, uint64_t number, size_t *count);

#endif
