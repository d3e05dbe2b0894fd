/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "maps.bpf.h"

SEC("xdp.frags")
int xdplace(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int xp_control(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
