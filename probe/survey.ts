/**
 * The routes of a target: every mail server of it, by every address family that it has (DESIGN 3.3). Tests that vote take the first that
 * works, as a mail server does, and never show that the second is broken; a survey sends one mail over each.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { routesMax } from '../common/limits.ts'
import { domainOf } from '../common/mail/headers.ts'
import type { Runtime } from '../common/runtime.ts'
import { type MailHost, type MailResolver, resolveHost, resolveMailHosts } from '../common/smtp/mx.ts'
import type { MailRoute, Target } from '../common/wire/test.ts'

/** `refusal`: why this probe cannot test the route, which then says nothing of it. */
export type SurveyedRoute = { route: MailRoute; refusal: string | undefined }

/** Rejects where the target cannot be looked up: tests that vote say so. */
export type Survey = (target: Target) => Promise<SurveyedRoute[]>

export type SurveyOptions = {
  runtime: Pick<Runtime, 'randomBytes'>
  resolver: MailResolver
  /** Whether this machine knows a way to the address; nothing is sent for it. */
  hasWayTo?: (address: string) => Promise<boolean>
}

/** None where there is but one: tests that vote take that. */
export function createSurvey({ runtime, resolver, hasWayTo = hasOwnWayTo }: SurveyOptions): Survey {
  return async ({ address, host }) => {
    const hosts =
      host === undefined ? await resolveMailHosts(domainOf(address), resolver, runtime) : [await resolveHost(host, resolver)]
    const routes = routesOver(hosts)
    if (routes.length < 2) return []
    return await Promise.all(
      routes.slice(0, routesMax).map(async ({ route, addresses }) => {
        const ways = await Promise.all(addresses.map(hasWayTo))
        const refusal = ways.includes(true) ? undefined : `This probe has no way out over ${familyName(route)}.`
        return { route, refusal }
      }),
    )
  }
}

const families = [
  { family: 'ipv4', number: 4 },
  { family: 'ipv6', number: 6 },
] as const

const familyName = ({ family }: MailRoute): string => (family === 'ipv6' ? 'IPv6' : 'IPv4')

/** Best first; servers of one priority by name, so that the same are left out each time where there are too many. */
function routesOver(hosts: readonly MailHost[]): { route: MailRoute; addresses: string[] }[] {
  const ordered = hosts.toSorted((a, b) => a.priority - b.priority || (a.host < b.host ? -1 : 1))
  return ordered.flatMap(({ host, addresses }) =>
    families.flatMap(({ family, number }) => {
      const its = addresses.filter((candidate) => candidate.family === number).map(({ address }) => address)
      return its.length === 0 ? [] : [{ route: { mx: host, family }, addresses: its }]
    }),
  )
}

const smtpPort = 25

/** The kernel chooses the way when a UDP socket is connected, and sends nothing for it: a fault is one of this machine. */
async function hasOwnWayTo(address: string): Promise<boolean> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  try {
    socket.connect(smtpPort, address)
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}
