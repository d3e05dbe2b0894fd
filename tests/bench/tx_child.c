/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_child.c - peers that are programs of their own: DPDK by a small one of ours beside this one
 * (tests/bench/peers).
 *
 * In: the program's name, the traffic. Out: packets that its driver took. It runs on CPU 0, as
 * this thread does, which sleeps meanwhile.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tx.h"

#define START_SECONDS 15.0
#define SPARE_SECONDS 3.0

struct tx_child {
	pid_t pid;
	int say;
	struct tx_order *order;
};

static bool alive(const struct tx_child *child)
{
	return !waitpid(child->pid, NULL, WNOHANG);
}

/* Until it has written that value there. */
static bool wait_for(const struct tx_child *child, const uint32_t *word, uint32_t value,
		     double seconds)
{
	double until = bench_now() + seconds;

	while (bench_now() < until && alive(child)) {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
			return true;
		usleep(1000);
	}
	return false;
}

static void write_order(struct tx_order *order, const struct tx_traffic *traffic)
{
	uint32_t i;

	order->size = traffic->size;
	order->destinations = traffic->destinations;
	order->burst = traffic->burst;
	for (i = 0; i < traffic->destinations; i++)
		tx_header(order->header[i], i, traffic->size);
}

static int start(struct tx_system *system, const struct tx_traffic *traffic, int shared)
{
	struct tx_child *child = system->child;
	char path[PATH_MAX], memory[16];
	char *const argv[] = {path, (char *)TX_NEAR, memory, NULL};

	if (ftruncate(shared, sizeof(*child->order)))
		return -errno;
	child->order =
		mmap(NULL, sizeof(*child->order), PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	if (child->order == MAP_FAILED)
		return -errno;
	write_order(child->order, traffic);
	snprintf(memory, sizeof(memory), "%d", shared);
	if (!bench_child_find(system->program, path, system->why, sizeof(system->why)))
		return -ENOENT;
	system->pid = child->pid = bench_child_spawn(argv, 0, child->say);
	if (wait_for(child, &child->order->ready, 1, START_SECONDS)) {
		bench_child_hurry(child->pid);
		return 0;
	}
	bench_child_last_words(child->say, system->why, sizeof(system->why));
	return -EIO;
}

static void child_close(struct tx_system *system)
{
	struct tx_child *child = system->child;

	bench_child_stop(child->pid);
	system->pid = 0;
	if (child->order && child->order != MAP_FAILED)
		munmap(child->order, sizeof(*child->order));
	close(child->say);
	free(child);
}

static int child_open(struct tx_system *system, const struct tx_traffic *traffic)
{
	int shared = memfd_create("xpbench", 0);
	int err;

	system->child = calloc(1, sizeof(*system->child));
	if (!system->child)
		return -ENOMEM;
	system->child->say = memfd_create("xpbench-say", MFD_CLOEXEC);
	err = start(system, traffic, shared);
	close(shared);
	if (err)
		child_close(system);
	return err;
}

static int child_send_for(struct tx_system *system, double seconds, double *took)
{
	struct tx_child *child = system->child;
	struct tx_order *order = child->order;
	uint32_t number = order->begin + 1;

	order->seconds = seconds;
	__atomic_store_n(&order->begin, number, __ATOMIC_RELEASE);
	if (!wait_for(child, &order->done, number, seconds + SPARE_SECONDS)) {
		bench_child_last_words(child->say, system->why, sizeof(system->why));
		return -EIO;
	}
	system->sent += order->sent;
	*took = order->took;
	return 0;
}

const struct tx_ops tx_child_ops = {
	.open = child_open,
	.close = child_close,
	.send_for = child_send_for,
};
