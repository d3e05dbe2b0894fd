/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mend_survey.h - which wrong checksums are the capture's fault, not damage; which RST was the end.
 */
#ifndef MEND_SURVEY_H
#define MEND_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "checksum.h"

struct survey;

struct survey *survey_new(void);
void survey_free(struct survey *survey);
/* A packet, in the order of the capture, and whether its checksums hold. 0 or -ENOMEM. */
int survey_add(struct survey *survey, const struct xp_packet *packet, bool good);
/* From the first packet again. False: nothing was unusual, nobody needs to ask. */
bool survey_rewind(struct survey *survey);
/* The same packets again, in order: is this one, whose checksum is wrong, to be trusted? */
bool survey_trusts(struct survey *survey, const struct xp_packet *packet, bool good);
/* Asked after that: does its direction send more data, in the same connection? */
bool survey_goes_on(struct survey *survey, const struct xp_packet *packet);
/* Does this SYN begin a connection without data, while others on the key have some? */
bool survey_leads_nowhere(struct survey *survey, const struct xp_packet *packet);

#endif
