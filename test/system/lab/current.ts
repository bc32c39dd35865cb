/** The one lab of this run, which main.ts starts, and the one installation of Mailscout on it, which the first case that asks starts. */
import type { Lab } from './lab.ts'
import { Mailscout } from './mailscout.ts'

let current: Lab | undefined

export function setLab(lab: Lab): void {
  current = lab
}

export function useLab(): Lab {
  if (current === undefined) throw new Error('no lab: run the cases by `npm run test:system`')
  return current
}

let installation: Promise<Mailscout> | undefined

export function useMailscout(): Promise<Mailscout> {
  installation ??= Mailscout.start(useLab())
  return installation
}
