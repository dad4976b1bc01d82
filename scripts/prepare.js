// npm runs this for a package that was installed from a Git address or a folder, which brings sources only: it is built there. In a checkout
// of one's own `npm run build` says when. Plain JavaScript, because the Node of whoever installs it may know no types.
import { execFileSync } from 'node:child_process'

const isOwnCheckout = process.env.INIT_CWD === process.cwd()
if (!isOwnCheckout) execFileSync('npm', ['run', 'build'], { stdio: 'inherit' })
