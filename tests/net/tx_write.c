/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_write - write to destinations and say what became of each write.
 *
 * In: tx_write ENGINE FILE LENGTH WRITES PAUSE_MS ADDR:PORT[-LAST][,...] [PAYLOAD]. Each write has
 * an entry of LENGTH bytes of FILE for each destination, the next ones each time; ADDR may be in
 * brackets. ENGINE context: `run`, out of a context's UMEM, whose areas are accounted for at the
 * end. Out: "open: OK|WHY"; a line "PACKETS BYTES REFUSED UNSENT ERROR" for each write, ERROR being
 * 0 or the name of the errno and @ENTRY; at the end "total" and the same, retries, and 1 if
 * counted. Exit code 0, 1 if it could not be opened, 2 for usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xdplace/transmit.h>

#define MOST 4096

static uint32_t destination[MOST];
static uint32_t destinations;

static int open_at(struct xdplace_tx *tx, char *where, uint16_t payload)
{
	struct sockaddr_storage to = {0};
	struct sockaddr_in *v4 = (void *)&to;
	struct sockaddr_in6 *v6 = (void *)&to;
	struct xdplace_destination_opts opts = {
		.size = sizeof(opts),
		.to = (void *)&to,
		.payload = payload,
	};
	char *port = strrchr(where, ':'), *end;
	long first, last;
	int d;

	if (!port)
		return -1;
	*port++ = '\0';
	first = last = strtol(port, &end, 10);
	if (*end == '-')
		last = strtol(end + 1, NULL, 10);
	if (where[0] == '[') {
		where[strlen(where) - 1] = '\0';
		v6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, where + 1, &v6->sin6_addr);
	} else {
		v4->sin_family = AF_INET;
		inet_pton(AF_INET, where, &v4->sin_addr);
	}
	for (; first <= last && destinations < MOST; first++) {
		v4->sin_port = htons(first); /* at the same place in both */
		d = xdplace_destination_open(tx, &opts);
		if (d < 0)
			return d;
		destination[destinations++] = d;
	}
	return 0;
}

static int open_all(struct xdplace_tx *tx, char *list, uint16_t payload)
{
	char *where;
	int err = 0;

	while (!err && (where = strsep(&list, ",")))
		err = open_at(tx, where, payload);
	return err;
}

static void say(const char *before, const struct xdplace_tx_completion *c)
{
	printf("%s%llu %llu %llu %llu ", before, (unsigned long long)c->packets,
	       (unsigned long long)c->bytes, (unsigned long long)c->refused,
	       (unsigned long long)c->unsent);
	if (c->error)
		printf("%s@%u", strerrorname_np(-c->error), c->entry);
	else
		putchar('0');
}

static int write_all(struct xdplace_tx *tx, const uint8_t *memory, size_t size, uint32_t length,
		     long writes, long pause)
{
	struct timespec t = {pause / 1000, pause % 1000 * 1000000};
	struct xdplace_tx_entry *entries = calloc(destinations, sizeof(*entries));
	struct xdplace_tx_completion c;
	struct xdplace_tx_stats stats;
	uint32_t i;
	long k;

	for (k = 0; k < writes; k++) {
		for (i = 0; i < destinations; i++)
			entries[i] = (struct xdplace_tx_entry){
				.data = memory + (size_t)k * length % (size - length + 1),
				.length = length,
				.destination = destination[i],
			};
		if (xdplace_tx_write(tx, entries, destinations, k) < 0) {
			printf("write: %s\n", xdplace_error());
			break;
		}
		while (!xdplace_tx_poll(tx, &c, 1))
			xdplace_tx_wait(tx, -1);
		say("", &c);
		putchar('\n');
		fflush(stdout);
		if (pause)
			nanosleep(&t, NULL);
	}
	free(entries);
	xdplace_tx_stats(tx, &stats);
	c = (struct xdplace_tx_completion){
		.packets = stats.packets,
		.bytes = stats.bytes,
		.refused = stats.refused,
		.unsent = stats.unsent,
	};
	say("total ", &c);
	printf(" %llu %d\n", (unsigned long long)stats.retries, stats.counted);
	return 0;
}

static size_t load(void *memory, size_t size, const char *name)
{
	FILE *file = fopen(name, "r");
	size_t got;

	if (!file)
		return 0;
	got = fread(memory, 1, size, file);
	fclose(file);
	return got;
}

/* A context whose own areas are half of its UMEM. */
static struct xdplace *open_context(uint8_t **memory, size_t *size)
{
	struct xdplace_opts opts = {
		.size = sizeof(opts),
		.umem_size = 64u << 20,
		.own_size = 32u << 20,
		.lanes = 1,
	};
	struct xdplace *ctx = xdplace_open(&opts);

	if (!ctx)
		return NULL;
	*memory = (uint8_t *)xdplace_umem(ctx, NULL) + (32u << 20);
	*size = (32u << 20) - 65536; /* less the last area, and then some */
	return ctx;
}

static int count_areas(struct xdplace *ctx)
{
	struct xdplace_audit audit;

	if (xdplace_audit(ctx, &audit))
		return 1;
	printf("areas: %u lost, %u twice\n", audit.state[XDPLACE_AREA_LOST],
	       audit.state[XDPLACE_AREA_TWICE]);
	return 0;
}

int main(int argc, char **argv)
{
	struct xdplace_tx_opts opts = {.size = sizeof(opts), .destinations = MOST};
	struct xdplace *ctx = NULL;
	uint8_t *memory = NULL;
	struct xdplace_tx *tx;
	uint32_t length;
	size_t size = 0;
	int status;

	if (argc < 7 || argc > 8)
		return 2;
	opts.engine = !strcmp(argv[1], "run")	? XDPLACE_TX_RUN
		      : !strcmp(argv[1], "xsk") ? XDPLACE_TX_XSK
						: XDPLACE_TX_AUTO;
	if (!strcmp(argv[1], "context"))
		ctx = open_context(&memory, &size);
	tx = xdplace_tx_open(ctx, &opts);
	length = strtoul(argv[3], NULL, 10);
	if (tx && !ctx)
		memory = xdplace_tx_memory(tx, &size);
	size = tx ? load(memory, size, argv[2]) : 0;
	status = !tx || size < length || open_all(tx, argv[6], argc > 7 ? atoi(argv[7]) : 0);
	printf("open: %s\n", status ? xdplace_error() : "OK");
	fflush(stdout);
	if (!status)
		write_all(tx, memory, size, length, strtol(argv[4], NULL, 10),
			  strtol(argv[5], NULL, 10));
	xdplace_tx_close(tx);
	if (ctx)
		status |= count_areas(ctx);
	xdplace_close(ctx);
	return status ? 1 : 0;
}
