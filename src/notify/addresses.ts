/** Which addresses are somewhere on the internet, and not here or next door. Pure. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** What IANA's registries of special addresses have as not globally reachable, and multicast. */
const unreachable4 = makeList('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
])

/** All else than this is loopback, link-local, unique-local, multicast or not given out. */
const global6 = makeList('ipv6', [['2000::', 3]])

/** Of that, documentation and tunnels: Teredo and 6to4 lead to an address within. */
const unreachable6 = makeList('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
])

/** An IPv4 address in IPv6: as it is (`::ffff:0:0/96`), and through NAT64 (`64:ff9b::/96`). */
const MAPPED = /^(?:0:0:0:0:0:ffff|64:ff9b:0:0:0:0):([0-9a-f]+):([0-9a-f]+)$/

/** What is no address, is none of the internet's. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !unreachable4.check(address, 'ipv4')
  if (!isIPv6(address) || address.includes('%')) return false
  const [, high, low] = MAPPED.exec(spellOut(address)) ?? []
  if (high !== undefined && low !== undefined) return isPublicAddress(dotted(high, low))
  return global6.check(address, 'ipv6') && !unreachable6.check(address, 'ipv6')
}

function makeList(family: 'ipv4' | 'ipv6', subnets: readonly (readonly [string, number])[]) {
  const list = new BlockList()
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, family)
  return list
}

/** All eight groups, without leading zeros; a URL has them in hexadecimal. */
function spellOut(address: string): string {
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = short.split('::')
  if (tail === undefined) return short
  const before = head.split(':').filter(group => group !== '')
  const after = tail.split(':').filter(group => group !== '')
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return [...before, ...zeros, ...after].join(':')
}

function dotted(high: string, low: string): string {
  const bytes = [high, low].map(group => Number.parseInt(group, 16))
  return bytes.flatMap(group => [group >> 8, group & 0xff]).join('.')
}
