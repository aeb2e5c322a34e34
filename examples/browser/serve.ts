// Serves the built pages on this machine, under the policy that they are tested with.
// usage: serve.ts [PORT]
import path from 'node:path';
import { serveFolder } from '@limn/tooling/static-server';

const { url } = await serveFolder(path.join(import.meta.dirname, 'dist'), Number(process.argv[2] ?? 8080));
console.log(`${url} and ${url}worker.html`);
