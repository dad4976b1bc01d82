import { CoatcheckProvider } from 'coatcheck/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './App'
import { coatcheck } from './coatcheck'

const root = document.getElementById('root')
if (root !== null)
  createRoot(root).render(
    <StrictMode>
      <CoatcheckProvider coatcheck={coatcheck}>
        <App />
      </CoatcheckProvider>
    </StrictMode>,
  )
