/**
 * Which IP addresses we may connect to on a customer's behalf. A target is named by others: without this wall it could point at
 * the machine we run on, at its neighbours, or at a cloud's metadata service. Checked for each address right before it is used.
 */
import { BlockList, isIP } from 'node:net'

export type AddressPolicy = {
  /** Networks that may be targets although they are private, on any port. */
  readonly allowed: Networks
}

/** Apart by family: one BlockList with both takes `::/0` to hold every IPv4 address too. */
type Networks = { ipv4: BlockList; ipv6: BlockList }

export type TargetVerdict = { allowed: true } | { allowed: false; reason: string }

/** Mail ports: SMTP, submission, IMAP and POP3, each plain and over TLS. */
const mailPorts = new Set([25, 465, 587, 993, 995, 143, 110])

/** Hand out credentials of the machine they run beside: closed whatever else is allowed. */
const metadata = networks([
  '169.254.169.254/32', // AWS, Azure, Google, OpenStack and others
  '169.254.170.2/32', // AWS task roles
  '169.254.169.253/32', // AWS resolver
  '168.63.129.16/32', // Azure host agent, though it looks public
  '100.100.100.200/32', // Alibaba
  '192.0.0.192/32', // Oracle
  'fd00:ec2::254/128', // AWS
  'fd20:ce::254/128', // Google
])

/** Special-purpose addresses (IANA registries, RFC 6890): nobody's mail server stands there. */
const closed: [network: string, name: string][] = [
  ['0.0.0.0/8', '"this network"'],
  ['10.0.0.0/8', 'a private network'],
  ['100.64.0.0/10', 'carrier-grade NAT'],
  ['127.0.0.0/8', 'this machine itself'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'a private network'],
  ['192.0.0.0/24', 'a protocol assignment'],
  ['192.0.2.0/24', 'documentation'],
  ['192.88.99.0/24', 'a 6to4 relay'],
  ['192.168.0.0/16', 'a private network'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
  ['::1/128', 'this machine itself'],
  ['fc00::/7', 'a private network'],
  ['fe80::/10', 'link-local'],
  ['ff00::/8', 'multicast'],
  ['2001::/23', 'a protocol assignment'],
  ['2001:db8::/32', 'documentation'],
  ['3fff::/20', 'documentation'],
]
const closedLists = closed.map(([network, name]) => ({ list: networks([network]), name }))

/** Of IPv6 only global unicast is open, and NAT64, which stands for the IPv4 address inside it. */
const open6 = networks(['2000::/3', '64:ff9b::/96'])
const mapped = networks(['::ffff:0:0/96'])
const nat64 = networks(['64:ff9b::/96'])
const sixToFour = networks(['2002::/16'])

/**
 * @param allowed CIDRs or single addresses of private targets that are allowed, as in `MAILSCOUT_ALLOW_TARGETS`.
 * @throws Error whose message completes the sentence "NAME …".
 */
export function createAddressPolicy(allowed: readonly string[] = []): AddressPolicy {
  return { allowed: networks(allowed) }
}

/** Whether we may connect to this address and port; the reason is a sentence for a person. */
export function checkTarget(address: string, port: number, policy: AddressPolicy): TargetVerdict {
  const version = isIP(address)
  if (version === 0) return refused(`${JSON.stringify(address)} is not an IP address`)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return refused(`${port} is not a port`)
  // A zone (fe80::1%eth0) names an interface of ours: nothing that is global has one.
  if (address.includes('%')) return refused(`${address} is link-local`)

  // ::ffff:10.0.0.1 is 10.0.0.1. A NAT64 or 6to4 address only leads to the one inside, through machines of others.
  const plain = version === 6 && contains(mapped, address) ? embeddedIpv4(address) : address
  const forms = isIP(plain) === 6 && leadsToIpv4(plain) ? [plain, embeddedIpv4(plain)] : [plain]
  if (forms.some((form) => contains(metadata, form))) return refused(`${address} is a metadata service`)
  if (contains(policy.allowed, plain)) return { allowed: true }
  for (const form of forms) {
    const name = closedAs(form)
    if (name !== undefined) return refused(`${address} is ${name}, not a public mail server`)
  }
  if (!mailPorts.has(port)) return refused(`port ${port} is not a mail port`)
  return { allowed: true }
}

const refused = (reason: string): TargetVerdict => ({ allowed: false, reason })

const contains = (list: Networks, address: string): boolean =>
  isIP(address) === 6 ? list.ipv6.check(address, 'ipv6') : list.ipv4.check(address, 'ipv4')

function closedAs(address: string): string | undefined {
  const found = closedLists.find(({ list }) => contains(list, address))
  if (found !== undefined) return found.name
  return isIP(address) === 4 || contains(open6, address) ? undefined : 'no global address'
}

const leadsToIpv4 = (address: string): boolean => contains(nat64, address) || contains(sixToFour, address)

/** The IPv4 address inside an IPv4-mapped, NAT64 (RFC 6052 §2.1: the last four bytes) or 6to4 address (RFC 3056: bytes 2 to 5). */
function embeddedIpv4(address: string): string {
  const groups = ipv6Groups(address)
  const [high = 0, low = 0] = contains(sixToFour, address) ? groups.slice(1, 3) : groups.slice(6)
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/** The eight groups of a valid IPv6 address without zone. */
export function ipv6Groups(address: string): number[] {
  // The URL parser knows every way to write one, and gives back hexadecimal groups with at most one `::`.
  const plain = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const [head = '', tail] = plain.split('::')
  const numbers = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  if (tail === undefined) return numbers(head)
  const [before, after] = [numbers(head), numbers(tail)]
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}

function networks(texts: readonly string[]): Networks {
  const lists: Networks = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const text of texts) {
    const [address = '', prefix, ...rest] = text.trim().split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    const bitsMax = family === 'ipv6' ? 128 : 32
    const bits = prefix === undefined ? bitsMax : Number(/^\d{1,3}$/.test(prefix) ? prefix : Number.NaN)
    if (isIP(address) === 0 || rest.length > 0 || !(bits <= bitsMax)) {
      throw new Error(`must hold networks like 10.1.0.0/16 or fd00:1::/32, not ${JSON.stringify(text)}`)
    }
    lists[family].addSubnet(address, bits, family)
  }
  return lists
}
