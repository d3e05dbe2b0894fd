/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rtp_talk.c - a stream of RTP packets with known contents.
 *
 * In:  rtp_talk send ADDRESS PORT LOCAL_PORT SEQUENCE COUNT US
 *      COUNT packets, the first with number SEQUENCE, one every US microseconds. The first and the
 *      last are sent five times, so that loss does not hide where the stream begins and ends.
 *      rtp_talk check FILE SEQUENCE COUNT [FIRST:COUNT]...
 *      FIRST:COUNT: packets that FILE leaves out, in order, by extended sequence number.
 * Out: send: the packets. check: exit status 0, FILE is what was sent without those left out;
 *      1, it is not, and a line that says where.
 * Promises: what a packet holds depends on its place in the stream alone. Headers have CSRCs, an
 * extension or padding now and then.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netdb.h>

#define LARGEST 1000u /* with the longest header and padding no IP fragment */
#define SSRC 0x78647031u
#define AGAIN 5

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "rtp_talk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Payload of the n-th packet: its length; now and then there is none. */
static uint32_t payload(uint8_t *byte, uint32_t n)
{
	uint64_t state = mix(n + 1);
	uint32_t i, size = state % 50 ? 1 + state % LARGEST : 0;

	for (i = 0; i < size; i += 8) {
		state = mix(state + i + 1);
		memcpy(byte + i, &state, size - i < 8 ? size - i : 8);
	}
	return size;
}

static uint32_t packet(uint8_t *byte, uint32_t n, uint16_t sequence)
{
	uint64_t kind = mix(n ^ 0x5eed);
	uint32_t csrcs = kind % 7 ? 0 : 1 + kind % 15, words = kind / 16 % 5 ? 0 : kind / 16 % 9;
	uint32_t padding = kind / 256 % 4 ? 0 : 1 + kind / 256 % 200, at = 12 + 4 * csrcs;
	uint32_t extension = !(kind / 16 % 5), timestamp = htonl(n * 160), ssrc = htonl(SSRC);

	memset(byte, 0, at);
	byte[0] = 0x80 | (padding ? 0x20 : 0) | (extension ? 0x10 : 0) | csrcs;
	byte[1] = 96 | (n % 30 ? 0 : 0x80);
	byte[2] = sequence >> 8;
	byte[3] = sequence;
	memcpy(byte + 4, &timestamp, 4);
	memcpy(byte + 8, &ssrc, 4);
	if (extension) {
		memset(byte + at, 0, 4 + 4 * words);
		byte[at + 3] = words;
		at += 4 + 4 * words;
	}
	at += payload(byte + at, n);
	if (padding) {
		memset(byte + at, 0xaa, padding);
		at += padding;
		byte[at - 1] = padding;
	}
	return at;
}

static int connected(const char *address, const char *port, const char *local)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *at;
	struct sockaddr_storage here = {0};
	int fd;

	if (getaddrinfo(address, port, &hints, &at)) {
		fprintf(stderr, "rtp_talk: not an address: %s %s\n", address, port);
		exit(2);
	}
	fd = socket(at->ai_family, SOCK_DGRAM, 0);
	here.ss_family = at->ai_family;
	((struct sockaddr_in *)&here)->sin_port = htons(atoi(local)); /* same place for IPv6 */
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, at->ai_addrlen) ||
	    connect(fd, at->ai_addr, at->ai_addrlen))
		die("connect");
	return fd;
}

static int send_all(char **argv)
{
	static uint8_t byte[2048];
	uint32_t sequence = atoi(argv[5]), count = atoi(argv[6]), us = atoi(argv[7]), n, i, size;
	struct timespec pause = {us / 1000000, us % 1000000 * 1000};
	int fd = connected(argv[2], argv[3], argv[4]);

	for (n = 0; n < count; n++) {
		size = packet(byte, n, sequence + n);
		for (i = 0; i < (n && n < count - 1 ? 1 : AGAIN); i++) {
			/* Nobody need be listening; who refused an earlier one is told of now. */
			while (send(fd, byte, size, 0) < 0)
				if (errno != ECONNREFUSED)
					die("send");
			nanosleep(&pause, NULL);
		}
	}
	return 0;
}

static int wrong(uint32_t n, const char *what)
{
	printf("packet %u of the stream: %s\n", n, what);
	return 1;
}

static int check(int argc, char **argv)
{
	static uint8_t expected[2048], byte[2048];
	uint32_t sequence = atoi(argv[3]), count = atoi(argv[4]), n, size;
	unsigned long long first = 0, left_out = 0;
	FILE *file = fopen(argv[2], "r");
	int arg = 5;

	if (!file)
		die(argv[2]);
	for (n = 0; n < count; n++) {
		if (!left_out && arg < argc)
			if (sscanf(argv[arg++], "%llu:%llu", &first, &left_out) != 2)
				return wrong(n, "not FIRST:COUNT");
		if (left_out && sequence + n >= first) {
			left_out--;
			first++;
			continue;
		}
		size = payload(expected, n);
		if (fread(byte, 1, size, file) != size)
			return wrong(n, "the file ends in it");
		if (memcmp(byte, expected, size))
			return wrong(n, "differs");
	}
	if (left_out || arg < argc)
		return wrong(n, "more are left out than were sent");
	return fgetc(file) == EOF ? 0 : wrong(n, "the file goes on");
}

int main(int argc, char **argv)
{
	if (argc == 8 && !strcmp(argv[1], "send"))
		return send_all(argv);
	if (argc >= 5 && !strcmp(argv[1], "check"))
		return check(argc, argv);
	fputs("usage: rtp_talk send ADDRESS PORT LOCAL_PORT SEQUENCE COUNT US\n"
	      "       rtp_talk check FILE SEQUENCE COUNT [FIRST:COUNT]...\n",
	      stderr);
	return 2;
}
