import { describe, expect, it } from 'vitest'
import { Bag, type Bagged } from '../../src/basics/bag.ts'

interface Named extends Bagged {
  readonly name: string
}

const named = (name: string): Named => ({ name, place: -1 })

function namesIn(bag: Bag<Named>): string[] {
  const names: string[] = []
  bag.visit(({ name }) => void names.push(name))
  return names.toSorted()
}

describe('a bag', () => {
  it('holds what was put into it until that is taken out, in whatever order', () => {
    const bag = new Bag<Named>()
    const [a, b, c] = [named('a'), named('b'), named('c')]
    for (const one of [a, b, c]) bag.add(one)
    bag.delete(a)
    expect(namesIn(bag)).toEqual(['b', 'c'])
    bag.delete(c)
    bag.add(a)
    expect(namesIn(bag)).toEqual(['a', 'b'])
    expect(bag.size).toBe(2)
  })

  it('takes no notice of what is taken out twice, or was never there', () => {
    const bag = new Bag<Named>()
    const [a, b] = [named('a'), named('b')]
    bag.add(a)
    bag.add(b)
    bag.delete(a)
    bag.delete(a)
    bag.delete(named('c'))
    expect(namesIn(bag)).toEqual(['b'])
  })

  it('visits each once, although some are taken out meanwhile', () => {
    const bag = new Bag<Named>()
    const all = ['a', 'b', 'c', 'd'].map(named)
    for (const one of all) bag.add(one)
    const visited: string[] = []
    bag.visit((one) => {
      visited.push(one.name)
      bag.delete(one)
    })
    expect(visited.toSorted()).toEqual(['a', 'b', 'c', 'd'])
    expect(bag.size).toBe(0)
  })
})
