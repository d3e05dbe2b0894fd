/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * seeds.c - first inputs for the targets that take frames: valid packets of every chain.
 *
 * In:  seeds DIR TARGET: parse, checksum. Out: DIR/seed-*, each with what the target wants in front
 *      of the frame. A fuzzer finds the rest; it would be long in finding these.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../prog/packet.h"

static struct frame frame, whole;
static const char *dir;
static unsigned written;

/* What stands before the frame: see each target. */
static const struct target {
	const char *name;
	size_t size;
	uint8_t bytes[8];
} targets[] = {
	{"parse", 3, {0, 0, 0}},
	{"checksum", 4, {3, 40, 0, 1}},
};
static const struct target *target;

static void write_frame(void)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/seed-%03u", dir, written++);
	file = fopen(path, "w");
	if (!file || fwrite(target->bytes, 1, target->size, file) != target->size ||
	    fwrite(frame.bytes, 1, frame.len, file) != frame.len || fclose(file)) {
		perror(path);
		exit(1);
	}
}

static void write_packet(struct packet p)
{
	packet_build(&p, &frame);
	write_frame();
}

/* The first, one in the middle and the last part of a packet. */
static void write_parts(struct packet p)
{
	uint32_t total;

	p.len = 100;
	packet_build(&p, &whole);
	total = whole.headers - whole.l4 + whole.payload;
	packet_cut(&whole, 0, 40, 1, 7, &frame);
	write_frame();
	packet_cut(&whole, 40, 24, 1, 7, &frame);
	write_frame();
	packet_cut(&whole, 64, total - 64, 0, 7, &frame);
	write_frame();
}

/* Headers that end about where the program no longer reads them. */
static void write_long(struct packet p)
{
	p.ip_options = 1;
	for (p.extension = 416; p.extension <= 464; p.extension += 8) {
		write_packet(p);
		write_parts(p);
	}
}

static void write_all(int udp, int v6)
{
	struct packet p = {.flags = udp ? 0 : ACK, .seq = 1000, .len = 13, .udp = udp, .v6 = v6};

	for (p.wrap = WRAP_NONE; p.wrap < WRAP_COUNT; p.wrap++)
		write_packet(p);
	p.wrap = WRAP_NONE;
	p.padding = 6;
	write_packet(p);
	p.padding = 0;
	p.ip_options = v6 ? 2 : 8;
	write_packet(p);
	p.ip_options = 0;
	if (v6) {
		p.pure_fragment = 1;
		write_packet(p);
		p.pure_fragment = 0;
		write_long(p);
	}
	write_parts(p);
	if (udp) {
		p.fault = FAULT_NO_CHECKSUM;
	} else {
		p.flags |= FIN;
		p.tcp_options = 12;
	}
	write_packet(p);
}

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc == 3 && i < sizeof(targets) / sizeof(targets[0]); i++)
		if (!strcmp(targets[i].name, argv[2]))
			target = &targets[i];
	if (!target) {
		fputs("usage: seeds DIR parse|checksum\n", stderr);
		return 2;
	}
	dir = argv[1];
	for (i = 0; i < 4; i++)
		write_all(i & 1, i >> 1);
	return 0;
}
