/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * udp_talk.c - UDP with known contents: a client asks, a server answers with as many datagrams of
 * as many bytes as asked for.
 *
 * In:  udp_talk server ADDRESS PORT
 *      udp_talk client ADDRESS PORT LOCAL_PORT FILE REQUESTS COUNT SIZE WAIT_MS
 *      SIZE is the payload of an answer; 0: another size for each, 16 to 1400 bytes.
 * Out: server: on standard output "ready"; client: FILE, the payloads of all answers in the order
 *      in which the kernel delivered them, and one JSON object.
 * Promises: a payload depends on nothing but request and place; the client goes on to the next
 * request when all answers are there or none has come for WAIT_MS.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netdb.h>

#define LARGEST 65000

struct request {
	uint32_t number, count, size;
	uint32_t zero;
};

/* In front of every answer. */
struct answer {
	uint32_t number, index;
	uint64_t filler;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "udp_talk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint32_t fill(uint8_t *byte, const struct request *request, uint32_t index)
{
	uint64_t state = mix((uint64_t)request->number << 32 | (index + 1));
	struct answer answer = {request->number, index, state};
	uint32_t size = request->size, i;

	if (!size)
		size = 16 + state % 1385;
	for (i = 0; i < size; i += 8) {
		state = mix(state + i);
		memcpy(byte + i, &state, 8);
	}
	memcpy(byte, &answer, sizeof(answer));
	return size;
}

static int bind_or_connect(const char *address, const char *port, const char *local, int serve)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *at;
	struct sockaddr_storage here = {0};
	int fd, room = 64 << 20;

	if (getaddrinfo(address, port, &hints, &at)) {
		fprintf(stderr, "udp_talk: not an address: %s %s\n", address, port);
		exit(2);
	}
	fd = socket(at->ai_family, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (serve && bind(fd, at->ai_addr, at->ai_addrlen))
		die("bind");
	if (serve)
		return fd;
	here.ss_family = at->ai_family;
	((struct sockaddr_in *)&here)->sin_port = htons(atoi(local)); /* same place for IPv6 */
	if (bind(fd, (struct sockaddr *)&here, at->ai_addrlen))
		die("bind");
	if (connect(fd, at->ai_addr, at->ai_addrlen))
		die("connect");
	return fd;
}

static _Noreturn void server(char **argv)
{
	static uint8_t byte[LARGEST + 8];
	struct sockaddr_storage peer;
	struct request request;
	socklen_t peer_len;
	uint32_t i, size;
	int fd;

	fd = bind_or_connect(argv[2], argv[3], NULL, 1);
	puts("ready");
	fflush(stdout);
	for (;;) {
		peer_len = sizeof(peer);
		if (recvfrom(fd, &request, sizeof(request), 0, (struct sockaddr *)&peer,
			     &peer_len) != sizeof(request))
			continue;
		if (request.size > LARGEST ||
		    (request.size && request.size < sizeof(struct answer)))
			continue;
		for (i = 0; i < request.count; i++) {
			size = fill(byte, &request, i);
			if (sendto(fd, byte, size, 0, (struct sockaddr *)&peer, peer_len) < 0)
				die("send");
		}
	}
}

/* Answers to one request, until all are there or silence. */
static uint32_t listen_for(int fd, FILE *file, const struct request *request, int wait_ms,
			   uint64_t *bytes, uint32_t *wrong)
{
	static uint8_t byte[LARGEST + 8], expected[LARGEST + 8];
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	struct answer *answer = (struct answer *)byte;
	struct request theirs = *request;
	uint32_t got = 0;
	ssize_t n;

	while (got < request->count && poll(&readable, 1, wait_ms) > 0) {
		n = recv(fd, byte, sizeof(byte), 0);
		if (n < 0 && errno == ECONNREFUSED)
			die("server");
		if (n < (ssize_t)sizeof(*answer))
			continue;
		theirs.number = answer->number;
		if (fill(expected, &theirs, answer->index) != n || memcmp(expected, byte, n))
			(*wrong)++;
		if (fwrite(byte, 1, n, file) != (size_t)n)
			die("write");
		*bytes += n;
		got++;
	}
	return got;
}

static int client(char **argv)
{
	uint32_t number, requests = atoi(argv[6]), count = atoi(argv[7]), received = 0, wrong = 0;
	struct request request = {.count = count, .size = atoi(argv[8])};
	uint64_t bytes = 0;
	FILE *file;
	int fd;

	fd = bind_or_connect(argv[2], argv[3], argv[4], 0);
	file = fopen(argv[5], "w");
	if (!file)
		die(argv[5]);
	for (number = 1; number <= requests; number++) {
		request.number = number;
		if (send(fd, &request, sizeof(request), 0) < 0)
			die("send");
		received += listen_for(fd, file, &request, atoi(argv[9]), &bytes, &wrong);
	}
	/* What was held up on the way, or answered twice. */
	request.count = UINT32_MAX;
	received += listen_for(fd, file, &request, 100, &bytes, &wrong);
	if (fclose(file))
		die(argv[5]);
	printf("{\"asked\":%u,\"received\":%u,\"bytes\":%llu,\"wrong\":%u}\n", requests * count,
	       received, (unsigned long long)bytes, wrong);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "server"))
		server(argv);
	if (argc == 10 && !strcmp(argv[1], "client"))
		return client(argv);
	fputs("usage: udp_talk server ADDRESS PORT\n"
	      "       udp_talk client ADDRESS PORT LOCAL_PORT FILE REQUESTS COUNT SIZE WAIT_MS\n",
	      stderr);
	return 2;
}
