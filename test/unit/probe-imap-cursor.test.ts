import { describe, expect, it } from 'vitest'
import { batchMax, ImapCursor, triesMax } from '../../probe/imap-cursor.ts'

describe('the cursor of a return mailbox', () => {
  it('takes new UIDs in order and never twice', () => {
    const cursor = new ImapCursor()
    cursor.opened(1n)
    expect(cursor.pick([9, 3, 3, 5])).toEqual([3, 5, 9])
    for (const uid of [3, 5, 9]) cursor.passed(uid)
    // `10:*` names the last mail even where its UID is lower.
    expect(cursor.pick([9])).toEqual([])
    expect(cursor.lastUid).toBe(9)
  })

  it('purges nothing but what was recorded', () => {
    const cursor = new ImapCursor()
    cursor.opened(1n)
    cursor.passed(1)
    cursor.recorded(2)
    cursor.failed(3)
    expect(cursor.purgeable()).toEqual([2])
    cursor.purged([2])
    expect(cursor.purgeable()).toEqual([])
  })

  it('forgets everything when the mailbox is made anew, so that no foreign mail is purged', () => {
    const cursor = new ImapCursor()
    expect(cursor.opened(1n)).toBe(false)
    cursor.recorded(7)
    cursor.failed(8)
    expect(cursor.opened(1n)).toBe(false)
    expect(cursor.purgeable()).toEqual([7])
    expect(cursor.opened(2n)).toBe(true)
    expect(cursor.purgeable()).toEqual([])
    expect(cursor.pick([1])).toEqual([1])
    expect(cursor.lastUid).toBe(0)
  })

  it('tries what failed again, and not for ever', () => {
    const cursor = new ImapCursor()
    cursor.opened(1n)
    for (let tries = 1; tries < triesMax; tries += 1) {
      expect(cursor.failed(4)).toBe(false)
      expect(cursor.pick([4, 6])).toEqual([4, 6])
    }
    expect(cursor.failed(4)).toBe(true)
    expect(cursor.pick([4, 6])).toEqual([6])
  })

  it('takes on no more than a batch at once', () => {
    const cursor = new ImapCursor()
    cursor.opened(1n)
    expect(cursor.pick(Array.from({ length: 500 }, (_, index) => index + 1))).toHaveLength(batchMax)
  })
})
