import { describe, expect, it } from 'vitest'
import { Bag, type Bagged, nowhere } from '../../src/basics/bag.ts'

interface Named extends Bagged {
  readonly name: string
}

const named = (name: string): Named => ({ name, place: nowhere })

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

  it('takes no notice of what is taken out twice, was never there, or is in another bag', () => {
    const [bag, other] = [new Bag<Named>(), new Bag<Named>()]
    const [a, b, c, d] = [named('a'), named('b'), named('c'), named('d')]
    for (const one of [a, b]) bag.add(one)
    for (const one of [c, d]) other.add(one)
    expect([bag.delete(a), bag.delete(a), bag.delete(named('e')), bag.delete(c), bag.delete(d)]).toEqual([
      true,
      false,
      false,
      false,
      false,
    ])
    expect(namesIn(bag)).toEqual(['b'])
    expect(namesIn(other)).toEqual(['c', 'd'])
  })

  it('takes nothing that is in a bag', () => {
    const [bag, other] = [new Bag<Named>(), new Bag<Named>()]
    const a = named('a')
    bag.add(a)
    expect(() => bag.add(a)).toThrow(TypeError)
    expect(() => other.add(a)).toThrow(TypeError)
    bag.delete(a)
    other.add(a)
    expect(namesIn(other)).toEqual(['a'])
  })

  it('visits each once, although each is taken out while it is visited', () => {
    const bag = new Bag<Named>()
    for (const one of ['a', 'b', 'c', 'd'].map(named)) bag.add(one)
    const visited: string[] = []
    bag.visit((one) => {
      visited.push(one.name)
      if (one.name !== 'b') bag.delete(one)
    })
    expect(visited.toSorted()).toEqual(['a', 'b', 'c', 'd'])
    expect(namesIn(bag)).toEqual(['b'])
  })
})
