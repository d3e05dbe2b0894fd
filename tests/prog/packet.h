/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet.h - packets for the tests, built from named addresses.
 *
 * In: struct packet, which says what differs from "alice, port 4711, sends bob, port 80, a TCP
 * segment over IPv4 in plain Ethernet". Out: struct frame with all lengths and checksums right,
 * unless the packet asks for a wrong one.
 *
 * Payload bytes follow from the sequence number, the ports and `salt` alone (packet_byte()), so
 * that whoever sees a placed byte knows which one it has to be. For UDP `seq` is the stream
 * offset that the test expects for the datagram.
 */
#ifndef TEST_PACKET_H
#define TEST_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include <xdplace/abi.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20

#define ALICE_PORT 4711
#define BOB_PORT 80

/* What lies between the Ethernet header and the packet of alice. */
enum wrap {
	WRAP_NONE,
	WRAP_VLAN,
	WRAP_QINQ,
	WRAP_VXLAN,
	WRAP_VXLAN6, /* outer packet IPv6 */
	WRAP_GENEVE,
	WRAP_GENEVE_OPTIONS, /* 8 bytes of options */
	WRAP_GENEVE_IP,	     /* no inner Ethernet header */
	WRAP_GRE,
	WRAP_GRE_KEY,
	WRAP_GRE_ALL,	   /* checksum, key and sequence number */
	WRAP_GRE_ETHERNET, /* with key */
	WRAP_IPIP,	   /* in IPv4 */
	WRAP_IPIP6,	   /* in IPv6 */
	WRAP_VXLAN_VLAN,   /* a VLAN tag inside */
	WRAP_VLAN_VXLAN,   /* a VLAN tag outside */
	WRAP_COUNT
};

/* Deliberate mistakes of which a packet has at most one. */
enum fault {
	FAULT_NONE,
	FAULT_CHECKSUM,	   /* TCP or UDP checksum wrong by one bit */
	FAULT_IP_CHECKSUM, /* IPv4 header checksum wrong */
	FAULT_PSEUDO,	   /* no fault: the field holds the pseudo-header's sum, unfinished */
	FAULT_NO_CHECKSUM, /* UDP checksum field zero */
};

struct packet {
	uint8_t flags; /* TCP: FIN ... */
	uint32_t seq;
	uint32_t len; /* payload bytes */
	uint32_t ack;
	uint8_t udp;
	uint8_t v6;
	uint8_t reverse;       /* bob sends to alice */
	uint16_t port;	       /* instead of alice's, 0: hers */
	uint16_t bob_port;     /* instead of bob's, 0: his */
	uint8_t carol;	       /* the last byte of bob's address: somebody else's */
	uint8_t salt;	       /* other bytes at the same place */
	uint8_t tcp_options;   /* bytes, multiple of 4 */
	uint8_t ip_options;    /* IPv4: bytes, multiple of 4; IPv6: extension headers of 8 bytes */
	uint16_t padding;      /* bytes behind the IP packet */
	uint16_t urgent;       /* urgent pointer */
	uint8_t pure_fragment; /* IPv6: an atomic fragment header (RFC 6946) */
	uint16_t extension;    /* IPv6: bytes more in the first extension header, multiple of 8 */
	int16_t udp_more;      /* UDP says so many bytes more than IP has for it, or fewer */
	enum fault fault;
	enum wrap wrap;
	uint32_t vnet; /* VLAN id (inner 12 bits of QINQ, 5 outer), VNI, key; 0: 7 */
};

#define FRAME_MAX 65535u

struct frame {
	uint32_t len;	  /* with padding */
	uint32_t l3;	  /* offset of alice's IP header */
	uint32_t l4;	  /* offset of her TCP or UDP header */
	uint32_t headers; /* offset of the payload */
	uint32_t payload;
	uint8_t bytes[FRAME_MAX + 1 +
		      256]; /* the longest datagram, with headers, before it is cut */
};

void packet_build(const struct packet *p, struct frame *f);
/*
 * A fragment of it: bytes [at, at + bytes) of what alice's IP header carries, beginning with her
 * TCP or UDP header. Tunnels are those over IPv4.
 */
void packet_cut(const struct frame *f, uint32_t at, uint32_t bytes, int more, uint32_t id,
		struct frame *part);
/* The byte of the packet's stream at a sequence number. */
uint8_t packet_byte(const struct packet *p, uint32_t seq);
/* Two packets have the same key and direction. */
int packet_same_flow(const struct packet *a, const struct packet *b);
/* The key under which the packet's flow is known. */
void packet_key(const struct packet *p, union xp_key *key);
/* Set the IPv4 header checksum and the TCP or UDP checksum right again after a change. */
void frame_fix_ip(struct frame *f);
void frame_fix_l4(struct frame *f);

#endif
