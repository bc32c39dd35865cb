/** The ways of a probe into the mail world: who carries its mails, and how it finds the routes of a target, by one DNS and one policy. */
import { createAddressPolicy } from '../common/smtp/address-policy.ts'
import { createResolver } from '../common/smtp/mx.ts'
import type { ProbeConfig } from './config.ts'
import { type Courier, type CourierOptions, createCourier } from './send.ts'
import { createSurvey, type Survey } from './survey.ts'

type Options = Pick<CourierOptions, 'runtime' | 'identity'> & { config: Pick<ProbeConfig, 'dnsServers' | 'allowTargets'> }

export function waysOut({ runtime, identity, config }: Options): { courier: Courier; survey: Survey } {
  const policy = createAddressPolicy(config.allowTargets.map(({ address, prefix }) => `${address}/${prefix}`))
  const resolver = createResolver(config.dnsServers)
  return { courier: createCourier({ runtime, identity, resolver, policy }), survey: createSurvey({ runtime, resolver }) }
}
