/**
 * Which IP addresses we may connect to on a customer's behalf. A target is named by others: without this wall it could point at
 * the machine we run on, at its neighbours, or at a cloud's metadata service. Checked for each address right before it is used.
 */
import { BlockList, isIP } from 'node:net'

export type AddressPolicy = {
  /** Networks that may be targets although they are private, on any port. */
  readonly allowed: BlockList
}

export type TargetVerdict = { allowed: true } | { allowed: false; reason: string }

/** Mail ports: SMTP, submission, IMAP and POP3, each plain and over TLS. */
const mailPorts = new Set([25, 465, 587, 993, 995, 143, 110])

/** Hand out credentials of the machine they run beside: closed whatever else is allowed. */
const metadata = blockList([
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
const closedLists = closed.map(([network, name]) => ({ list: blockList([network]), name }))

/** Of IPv6 only global unicast is open, and NAT64, which stands for the IPv4 address inside it. */
const globalUnicast = blockList(['2000::/3'])
const nat64 = blockList(['64:ff9b::/96'])

/**
 * @param networks CIDRs or single addresses of private targets that are allowed, as in `MAILSCOUT_ALLOW_TARGETS`.
 * @throws Error whose message completes the sentence "NAME …".
 */
export function createAddressPolicy(networks: readonly string[] = []): AddressPolicy {
  return { allowed: blockList(networks) }
}

/** Whether we may connect to this address and port; the reason is a sentence for a person. */
export function checkTarget(address: string, port: number, policy: AddressPolicy): TargetVerdict {
  const version = isIP(address)
  if (version === 0) return refused(`${JSON.stringify(address)} is not an IP address`)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return refused(`${port} is not a port`)
  // A zone (fe80::1%eth0) names an interface of ours: nothing that is global has one.
  if (address.includes('%')) return refused(`${address} is link-local`)

  const forms = [address, ...(version === 6 ? embeddedIpv4(address) : [])]
  if (forms.some((form) => contains(metadata, form))) return refused(`${address} is a metadata service`)
  // ::ffff:10.0.0.1 is 10.0.0.1; a NAT64 or 6to4 address only leads there, through machines of others.
  const own = version === 6 && isMapped(address) ? forms : [address]
  if (own.some((form) => contains(policy.allowed, form))) return { allowed: true }
  for (const form of forms) {
    const name = closedAs(form)
    if (name !== undefined) return refused(`${address} is ${name}, not a public mail server`)
  }
  if (!mailPorts.has(port)) return refused(`port ${port} is not a mail port`)
  return { allowed: true }
}

const refused = (reason: string): TargetVerdict => ({ allowed: false, reason })

const contains = (list: BlockList, address: string): boolean => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

function closedAs(address: string): string | undefined {
  const found = closedLists.find(({ list }) => contains(list, address))
  if (found !== undefined) return found.name
  if (isIP(address) === 4 || isMapped(address) || contains(globalUnicast, address) || contains(nat64, address)) return undefined
  return 'no global address'
}

const isMapped = (address: string): boolean => contains(mapped, address)
const mapped = blockList(['::ffff:0:0/96'])

/** The IPv4 address that an IPv6 address stands for: IPv4-mapped, NAT64 (RFC 6052), 6to4 (RFC 3056). */
function embeddedIpv4(address: string): string[] {
  const groups = ipv6Groups(address)
  const [first = 0, second = 0, third = 0] = groups
  const dotted = (high: number, low: number) => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  const last = dotted(groups[6] ?? 0, groups[7] ?? 0)
  if (contains(mapped, address) || contains(nat64, address)) return [last]
  if (first === 0x2002) return [dotted(second, third)]
  return []
}

/** The eight groups of a valid IPv6 address. */
function ipv6Groups(address: string): number[] {
  // The URL parser knows every way to write one, and gives back hexadecimal groups with at most one `::`.
  const plain = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const [head = '', tail] = plain.split('::')
  const numbers = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  if (tail === undefined) return numbers(head)
  const [before, after] = [numbers(head), numbers(tail)]
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix, ...rest] = network.trim().split('/')
    const version = isIP(address)
    const bits = prefix === undefined ? (version === 6 ? 128 : 32) : Number(/^\d{1,3}$/.test(prefix) ? prefix : Number.NaN)
    if (version === 0 || rest.length > 0 || !(bits >= 0 && bits <= (version === 6 ? 128 : 32))) {
      throw new Error(`must hold networks like 10.1.0.0/16 or fd00:1::/32, not ${JSON.stringify(network)}`)
    }
    list.addSubnet(address, bits, version === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}
