import { useSession, useTimeLeft } from 'coatcheck/react'
import { useEffect, useState } from 'react'
import { coatcheck, type User } from './coatcheck'

export function App() {
  const { status, user } = useSession<User>()
  if (status === 'loading') return <p>One moment …</p>
  if (status === 'unavailable')
    return <p role="alert">The service is not available. This page tries again by itself.</p>
  return (
    <main>
      <h1>Orders</h1>
      {status === 'signed-out' && (
        <button type="button" onClick={() => coatcheck.login({ byUser: true })}>
          Sign in
        </button>
      )}
      {status === 'signed-in' && (
        <>
          <p>
            Hello, <strong>{user.name}</strong>. <StaySignedIn />
            <button type="button" onClick={() => coatcheck.logout()}>
              Sign out
            </button>
          </p>
          <Orders />
          <Clock />
        </>
      )}
    </main>
  )
}

function StaySignedIn() {
  const left = useTimeLeft()
  if (left === undefined || left.idleExpiresIn > 60) return null
  return (
    <button type="button" onClick={() => coatcheck.refreshSession()}>
      Stay signed in ({left.idleExpiresIn} s)
    </button>
  )
}

function Orders() {
  const [text, setText] = useState('Loading …')
  useEffect(() => {
    const abort = new AbortController()
    loadOrders(abort.signal).then(setText, () => undefined)
    return () => abort.abort()
  }, [])
  return <p data-testid="orders">{text}</p>
}

async function loadOrders(signal: AbortSignal): Promise<string> {
  const response = await coatcheck.apiFetch('/api/orders', { signal })
  if (response.status === 403) return 'You may not see the orders.'
  if (!response.ok) return `The API answered ${response.status}.`
  const orders: { what: string }[] = await response.json()
  return orders.map(({ what }) => what).join(', ')
}

function Clock() {
  const [time, setTime] = useState('')
  useEffect(
    () =>
      coatcheck.openEventSource('/api/time', (source) => {
        source.onmessage = ({ data }) => setTime(data)
      }),
    [],
  )
  return <p data-testid="time">{time}</p>
}
