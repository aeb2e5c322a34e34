// Serves the built page on this machine.
// usage: serve.mts [PORT]
import path from 'node:path';
import { serveFolder } from '@limn/tooling/static-server';

const { url } = await serveFolder(path.join(import.meta.dirname, 'dist'), Number(process.argv[2] ?? 8081));
console.log(url);
