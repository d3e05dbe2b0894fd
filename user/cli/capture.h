/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture.h - packets out of a pcap or pcapng file, each as an Ethernet frame.
 *
 * Link types without an Ethernet header get one that is zero but for its type, so that the same
 * program that runs on a network device can have them.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stddef.h>
#include <stdint.h>

struct capture;

/* NULL: `error` (CAPTURE_ERROR bytes) says why. `path` "-": standard input. */
#define CAPTURE_ERROR 512
struct capture *capture_open(const char *path, char *error);
void capture_close(struct capture *capture);

/* 1: *frame and *len are the next packet, valid until the next call; 0: end; -1: see below. */
int capture_next(struct capture *capture, const void **frame, size_t *len);
/* What is wrong with the file, after capture_next() returned -1. */
const char *capture_fault(struct capture *capture);
/* Packets whose end the capture did not keep (snap length): what was not kept can not be placed. */
uint64_t capture_truncated(const struct capture *capture);

#endif
