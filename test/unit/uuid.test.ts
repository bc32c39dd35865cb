import { expect, test } from 'vitest'
import { uuidv7 } from '../../common/runtime.ts'

const runtimeOf = (bytes: () => Uint8Array) => {
  const clock = { ms: 1_795_000_000_000 }
  return { clock, runtime: { wallMs: () => clock.ms, randomBytes: bytes } }
}

test('ids that are made within one millisecond sort in their order, whatever is drawn', () => {
  let drawn = 255
  const { clock, runtime } = runtimeOf(() => new Uint8Array(16).fill(drawn--))
  const ids = Array.from({ length: 200 }, (_, index) => {
    if (index === 100) clock.ms += 1
    return uuidv7(runtime)
  })
  expect(ids.toSorted()).toEqual(ids)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('two that make ids at the same moment do not wait for each other: what is drawn keeps them apart', () => {
  const [one, other] = [runtimeOf(() => new Uint8Array(16).fill(1)), runtimeOf(() => new Uint8Array(16).fill(2))]
  expect(uuidv7(one.runtime)).not.toBe(uuidv7(other.runtime))
})
