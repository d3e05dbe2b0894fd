/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ring.c - preloaded into tcpflow: libpcap as the other peers have it.
 *
 * In: pcap_open_live() of a program that offers no option for it. Out: a ring of 128 MiB instead
 * of 2 MiB, that has room for what GRO makes, and what it holds is told after a millisecond.
 */
#include <pcap/pcap.h>
#include <stdio.h>

#define SNAP (128 << 10)
#define RING (128 << 20)
#define TIMEOUT_MS 1

pcap_t *pcap_open_live(const char *device, int snap, int promiscuous, int timeout_ms, char *error)
{
	pcap_t *pcap = pcap_create(device, error);

	if (!pcap)
		return NULL;
	pcap_set_snaplen(pcap, SNAP);
	pcap_set_buffer_size(pcap, RING);
	pcap_set_timeout(pcap, TIMEOUT_MS);
	pcap_set_promisc(pcap, promiscuous);
	if (pcap_activate(pcap) >= 0)
		return pcap;
	snprintf(error, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(pcap));
	pcap_close(pcap);
	return NULL;
}
