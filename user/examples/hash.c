/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hash.c - prints the SHA-256 of every TCP or UDP stream that arrives at an interface.
 *
 *	hash INTERFACE [RULE]
 *
 * In: completions in sequence. Out: a line when a flow ends: hash, bytes, gaps, flow. The bytes
 * are hashed where they were placed: nothing is copied.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include <xdplace/xdplace.h>

struct stream {
	EVP_MD_CTX *sha;
	uint64_t bytes, gaps;
};

static volatile bool stop;

static void on_signal(int number)
{
	stop = true;
}

static void finish(struct xdplace *ctx, struct stream *s, uint32_t handle)
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	char key[128] = "(gone)";
	struct xp_flow flow;
	unsigned i, len;

	if (!xdplace_flow_get(ctx, handle, &flow))
		xdplace_key_format(&flow.key, flow.flags & XP_FLOW_V6, key, sizeof(key));
	EVP_DigestFinal_ex(s->sha, sum, &len);
	EVP_MD_CTX_free(s->sha);
	for (i = 0; i < len; i++)
		printf("%02x", sum[i]);
	printf(" %llu bytes %llu gaps %s\n", (unsigned long long)s->bytes,
	       (unsigned long long)s->gaps, key);
	fflush(stdout);
	*s = (struct stream){0};
}

static void take(struct xdplace *ctx, struct stream *streams, const struct xp_completion *c)
{
	struct stream *s = &streams[XP_FLOW_INDEX(c->flow)];
	struct iovec iov[2];
	int i, n = 0;

	if (c->flow == XP_NONE)
		return;
	if (xdplace_in_sequence(c))
		n = xdplace_data(ctx, c, iov);
	if (n > 0 && !s->sha) {
		s->sha = EVP_MD_CTX_new();
		EVP_DigestInit_ex(s->sha, EVP_sha256(), NULL);
	}
	for (i = 0; i < n; i++)
		EVP_DigestUpdate(s->sha, iov[i].iov_base, iov[i].iov_len);
	s->bytes += n > 0 ? c->data_len : 0;
	s->gaps += c->flags & XP_GAP ? 1 : 0;
	if (c->flags & XP_RELEASE_FLOW && s->sha)
		finish(ctx, s, c->flow);
}

int main(int argc, char **argv)
{
	struct xdplace_opts opts = {.size = sizeof(opts), .lanes = 1, .ring = 16384};
	struct sigaction action = {.sa_handler = on_signal};
	struct xp_completion completions[256];
	struct xdplace *ctx = argc > 1 ? xdplace_open(&opts) : NULL;
	struct xdplace_lane *lane = ctx ? xdplace_lane_open(ctx, 0) : NULL;
	struct stream *streams = calloc(XP_MAX_FLOWS, sizeof(*streams));
	struct xp_rule rule;
	int i, n = 0;

	sigaction(SIGINT, &action, NULL);
	if (!lane || !streams || xdplace_rule_parse(argc > 2 ? argv[2] : "any", &rule, NULL) ||
	    xdplace_rule_add(ctx, &rule) < 0 || xdplace_attach(ctx, argv[1], NULL))
		return fprintf(stderr, "hash INTERFACE [RULE]: %s\n", xdplace_error()), 1;
	while (!stop && (n >= 0 || n == -EINTR)) {
		n = xdplace_lane_poll(lane, completions, 256);
		for (i = 0; i < n; i++)
			take(ctx, streams, &completions[i]);
		n = n ? xdplace_lane_release(lane, (size_t)n) : xdplace_lane_wait(lane, 1000);
	}
	xdplace_lane_close(lane);
	xdplace_close(ctx);
	return 0;
}
