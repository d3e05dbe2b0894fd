/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * injector.c - a wire with faults: forwards frames between two interfaces, both ways, and on the
 * way loses, holds back, repeats and damages TCP and UDP packets. What is neither is forwarded
 * untouched, so that address resolution takes no part in the lottery.
 *
 * In:  two interfaces of this network namespace (veth ends without addresses), fault rates in
 *      percent, "A" for both directions or "A,B" for A from first to second and B back.
 * Out: on standard output the line "ready" when forwarding has begun, and one JSON object with
 *      the counts when SIGTERM or SIGINT ends it.
 * Promises: the n-th TCP or UDP packet of a direction meets the same fate whenever seed and rates
 * are the same. Damage is one changed byte behind the IP header, which every TCP and UDP checksum
 * notices: a one's complement sum can not miss a change of a single byte.
 *
 * The senders must not leave unfinished checksums or super-packets: tx, tso, gso and gro off on
 * both end points (lib.sh does that), else damage is repaired by the receiver's trust.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define BATCH 64
#define FRAME (1 << 16) /* larger than any jumbo frame, so that truncation can not happen */
#define HELD 1024
#define MILLION 1000000u

struct frame {
	uint32_t len;
	uint8_t byte[FRAME];
};

/* A packet that waits for others to overtake it. */
struct held {
	struct held *next;
	uint64_t after_packet; /* goes out behind this one ... */
	uint64_t deadline_us;  /* ... or now, whichever is first */
	uint32_t len;
	uint8_t byte[];
};

struct rates {
	uint32_t loss, reorder, duplicate, corrupt; /* packets per million */
};

struct direction {
	const char *name;
	int from, to;
	struct rates rates;
	uint64_t random;
	struct held *held; /* in the order they leave */
	uint32_t held_now;
	uint64_t faulty; /* TCP and UDP packets: what the lottery counts */
	uint64_t packets, bytes, lost, reordered, duplicated, corrupted, overrun, refused;
};

static volatile sig_atomic_t stop;
static uint32_t hold_packets = 3, hold_us = 2000;

static void on_signal(int signo)
{
	stop = signo;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "injector: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

/* splitmix64: any seed is good, also 0. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static bool chance(struct direction *d, uint32_t per_million)
{
	return draw(&d->random) % MILLION < per_million;
}

static int open_socket(const char *ifname)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq promisc = {.mr_type = PACKET_MR_PROMISC};
	int one = 1, room = 64 << 20, fd;

	at.sll_ifindex = promisc.mr_ifindex = if_nametoindex(ifname);
	if (!at.sll_ifindex)
		die(ifname);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("AF_PACKET socket");
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		die("socket options");
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die(ifname);
	return fd;
}

static void send_frame(struct direction *d, const uint8_t *byte, uint32_t len)
{
	ssize_t n;

	do {
		n = send(d->to, byte, len, 0);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		d->refused++;
}

/* Offset of what TCP or UDP sent, also of a fragment of it; 0: nothing to damage. */
static uint32_t l4_offset(const struct frame *f)
{
	const uint8_t *ip = f->byte + sizeof(struct ether_header);
	uint32_t at = sizeof(struct ether_header), len = f->len;
	uint16_t type;
	uint8_t proto;

	if (len < at + 20)
		return 0;
	type = f->byte[12] << 8 | f->byte[13];
	if (type == ETHERTYPE_IP) {
		proto = ip[9];
		at += 4 * (ip[0] & 15);
	} else if (type == ETHERTYPE_IPV6) {
		proto = ip[6];
		at += 40;
		if (proto == IPPROTO_FRAGMENT && len > at + 8) {
			proto = ip[40];
			at += 8;
		}
	} else {
		return 0;
	}
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return 0;
	return at < len ? at : 0;
}

/* Ethernet padding behind the IP packet is no place for damage: nobody would notice. */
static uint32_t ip_end(const struct frame *f)
{
	const uint8_t *ip = f->byte + sizeof(struct ether_header);
	uint32_t end;

	if ((ip[0] >> 4) == 4)
		end = ip[2] << 8 | ip[3];
	else
		end = 40 + (ip[4] << 8 | ip[5]);
	end += sizeof(struct ether_header);
	return end < f->len ? end : f->len;
}

static void corrupt(struct direction *d, struct frame *f, uint32_t l4)
{
	uint32_t end = ip_end(f);
	uint64_t r = draw(&d->random);

	if (end <= l4)
		return;
	f->byte[l4 + r % (end - l4)] ^= 1 + (r >> 40) % 255;
	d->corrupted++;
}

static void hold(struct direction *d, const struct frame *f)
{
	struct held *h, **at = &d->held;

	h = d->held_now < HELD ? malloc(sizeof(*h) + f->len) : NULL;
	if (!h) {
		send_frame(d, f->byte, f->len);
		return;
	}
	h->next = NULL;
	h->after_packet = d->faulty + hold_packets;
	h->deadline_us = now_us() + hold_us;
	h->len = f->len;
	memcpy(h->byte, f->byte, f->len);
	while (*at)
		at = &(*at)->next;
	*at = h;
	d->held_now++;
	d->reordered++;
}

static void let_go(struct direction *d)
{
	struct held *h;

	while ((h = d->held) &&
	       (stop || h->after_packet <= d->faulty || h->deadline_us <= now_us())) {
		send_frame(d, h->byte, h->len);
		d->held = h->next;
		d->held_now--;
		free(h);
	}
}

/*
 * All draws are made for every packet, whatever becomes of it, so that changing one rate does
 * not change the fate that another one deals out.
 */
static void forward(struct direction *d, struct frame *f)
{
	bool lose, late, twice, damage;
	uint32_t l4 = l4_offset(f);

	d->packets++;
	d->bytes += f->len;
	if (!l4) {
		send_frame(d, f->byte, f->len);
		return;
	}
	d->faulty++;
	lose = chance(d, d->rates.loss);
	late = chance(d, d->rates.reorder);
	twice = chance(d, d->rates.duplicate);
	damage = chance(d, d->rates.corrupt);
	if (lose) {
		d->lost++;
	} else {
		if (twice) {
			send_frame(d, f->byte, f->len);
			d->duplicated++;
		}
		if (damage)
			corrupt(d, f, l4);
		if (late)
			hold(d, f);
		else
			send_frame(d, f->byte, f->len);
	}
	let_go(d);
}

static int pump(struct direction *d)
{
	static struct frame frames[BATCH];
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	int i, n;

	memset(msg, 0, sizeof(msg));
	for (i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){.iov_base = frames[i].byte, .iov_len = FRAME};
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(d->from, msg, BATCH, MSG_DONTWAIT, NULL);
	for (i = 0; i < n; i++) {
		frames[i].len = msg[i].msg_len;
		forward(d, &frames[i]);
	}
	let_go(d);
	return n > 0 ? n : 0;
}

static void count_overrun(struct direction *d)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (!getsockopt(d->from, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		d->overrun += stats.tp_drops;
}

static void report(const struct direction *d, const char *end)
{
	printf("\"%s\":{\"packets\":%llu,\"bytes\":%llu,\"lost\":%llu,\"reordered\":%llu,"
	       "\"duplicated\":%llu,\"corrupted\":%llu,\"overrun\":%llu,\"refused\":%llu}%s",
	       d->name, (unsigned long long)d->packets, (unsigned long long)d->bytes,
	       (unsigned long long)d->lost, (unsigned long long)d->reordered,
	       (unsigned long long)d->duplicated, (unsigned long long)d->corrupted,
	       (unsigned long long)d->overrun, (unsigned long long)d->refused, end);
}

static int parse_rate(const char *text, uint32_t *first, uint32_t *second)
{
	char *end;
	double a, b;

	a = b = strtod(text, &end);
	if (end == text)
		return -1;
	if (*end == ',')
		b = strtod(end + 1, &end);
	if (*end || !(a >= 0 && a <= 100) || !(b >= 0 && b <= 100))
		return -1;
	*first = a * (MILLION / 100) + 0.5;
	*second = b * (MILLION / 100) + 0.5;
	return 0;
}

static int usage(void)
{
	fputs("usage: injector [--seed N] [--loss PCT[,PCT]] [--reorder PCT[,PCT]]\n"
	      "                [--duplicate PCT[,PCT]] [--corrupt PCT[,PCT]]\n"
	      "                [--hold-packets N] [--hold-us N] FIRST SECOND\n",
	      stderr);
	return 2;
}

static const struct option options[] = {
	{"seed", required_argument, NULL, 's'},	   {"loss", required_argument, NULL, 'l'},
	{"reorder", required_argument, NULL, 'r'}, {"duplicate", required_argument, NULL, 'd'},
	{"corrupt", required_argument, NULL, 'c'}, {"hold-packets", required_argument, NULL, 'n'},
	{"hold-us", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0},
};

static int parse(int argc, char **argv, struct direction d[2], uint64_t *seed)
{
	int c, bad = 0;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			*seed = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			bad |= parse_rate(optarg, &d[0].rates.loss, &d[1].rates.loss);
			break;
		case 'r':
			bad |= parse_rate(optarg, &d[0].rates.reorder, &d[1].rates.reorder);
			break;
		case 'd':
			bad |= parse_rate(optarg, &d[0].rates.duplicate, &d[1].rates.duplicate);
			break;
		case 'c':
			bad |= parse_rate(optarg, &d[0].rates.corrupt, &d[1].rates.corrupt);
			break;
		case 'n':
			hold_packets = strtoul(optarg, NULL, 0);
			break;
		case 'u':
			hold_us = strtoul(optarg, NULL, 0);
			break;
		default:
			return -1;
		}
	}
	return bad || argc - optind != 2 ? -1 : 0;
}

static void run(struct direction d[2])
{
	struct pollfd fds[2] = {{.fd = d[0].from, .events = POLLIN},
				{.fd = d[1].from, .events = POLLIN}};

	while (!stop) {
		if (pump(&d[0]) + pump(&d[1]))
			continue;
		poll(fds, 2, d[0].held || d[1].held ? 1 : 200);
	}
}

int main(int argc, char **argv)
{
	struct direction d[2] = {{.name = "forward"}, {.name = "back"}};
	struct sigaction action = {.sa_handler = on_signal};
	uint64_t seed = 1;
	int first, second;

	if (parse(argc, argv, d, &seed))
		return usage();
	d[0].random = seed;
	d[1].random = ~seed;
	first = open_socket(argv[optind]);
	second = open_socket(argv[optind + 1]);
	d[0].from = d[1].to = first;
	d[0].to = d[1].from = second;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	puts("ready");
	fflush(stdout);
	run(d);
	let_go(&d[0]);
	let_go(&d[1]);
	count_overrun(&d[0]);
	count_overrun(&d[1]);
	printf("{\"seed\":%llu,", (unsigned long long)seed);
	report(&d[0], ",");
	report(&d[1], "}\n");
	return 0;
}
