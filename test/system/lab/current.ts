/** The one lab of this run: main.ts starts it, the cases use it. */
import type { Lab } from './lab.ts'

let current: Lab | undefined

export function setLab(lab: Lab): void {
  current = lab
}

export function useLab(): Lab {
  if (current === undefined) throw new Error('no lab: run the cases by `npm run test:system`')
  return current
}
