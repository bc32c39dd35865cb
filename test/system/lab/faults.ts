/** Faults of the network: packets that the router drops silently. Each call returns its own undo. */
import { execFileSync } from 'node:child_process'

export type Undo = () => void
type Rules = readonly string[]
type Addressed = { address: string }

/** The chain is written anew at each change, in one transaction: no packet sees half a fault. */
export class Faults {
  readonly #namespace: string
  readonly #active = new Set<Rules>()

  constructor(routerNamespace: string) {
    this.#namespace = routerNamespace
    this.#nft('table ip faults {\n chain forward {\n type filter hook forward priority 0; policy accept;\n }\n}\n')
  }

  /** Nobody reaches this port any more; connections that exist fall silent too. */
  dropPort(host: Addressed, port: number): Undo {
    return this.#add([`ip daddr ${host.address} meta l4proto { tcp, udp } th dport ${port} drop`])
  }

  /** Between these two hosts nothing passes, in either direction. */
  cut(one: Addressed, other: Addressed): Undo {
    return this.#add([
      `ip saddr ${one.address} ip daddr ${other.address} drop`,
      `ip saddr ${other.address} ip daddr ${one.address} drop`,
    ])
  }

  /** This host is cut off from all others. */
  isolate(host: Addressed): Undo {
    return this.#add([`ip saddr ${host.address} drop`, `ip daddr ${host.address} drop`])
  }

  /** Ends every fault. */
  heal(): void {
    this.#active.clear()
    this.#apply()
  }

  #add(rules: Rules): Undo {
    this.#active.add(rules)
    this.#apply()
    return () => {
      if (this.#active.delete(rules)) this.#apply()
    }
  }

  #apply(): void {
    const rules = [...this.#active].flat().map((rule) => `add rule ip faults forward ${rule}\n`)
    this.#nft(`flush chain ip faults forward\n${rules.join('')}`)
  }

  #nft(script: string): void {
    execFileSync('ip', ['netns', 'exec', this.#namespace, 'nft', '-f', '-'], { input: script })
  }
}
