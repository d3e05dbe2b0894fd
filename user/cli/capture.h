/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture.h - packets out of a pcap or pcapng file, each as an Ethernet frame.
 *
 * Link types without an Ethernet header get one that is zero but for its type, so that the same
 * program that runs on a network device can have them; what lies between Ethernet and IP and the
 * program does not read (PPPoE, MPLS, SNAP, a third VLAN tag) is taken out.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stddef.h>
#include <stdint.h>

struct capture;

struct capture_packet {
	const uint8_t *frame;
	size_t len;  /* bytes that the capture kept */
	size_t wire; /* bytes that the packet had: not less */
};

/* NULL: `error` (CAPTURE_ERROR bytes) says why. `path` "-": standard input. */
#define CAPTURE_ERROR 512
struct capture *capture_open(const char *path, char *error);
void capture_close(struct capture *capture);

/* 1: the next packet, valid until the next call; 0: end; -1: see below. */
int capture_next(struct capture *capture, struct capture_packet *packet);
/* What is wrong with the file, after capture_next() returned -1. */
const char *capture_fault(struct capture *capture);

#endif
