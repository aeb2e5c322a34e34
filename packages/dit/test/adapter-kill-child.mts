// A process that trains an adapter in a folder and kills itself behind update 6, beyond the checkpoint of update 4.
import { openNodeGpu } from '@limn/gpu/node';
import { folderCheckpoints } from '@limn/gpt2/node';
import { trainReading } from './adapter-job.js';
import { toyModel } from './diffs-job.js';

const gpu = await openNodeGpu({ workBudgetFlops: 1e9, onNotice: () => undefined });
await trainReading(toyModel(gpu), folderCheckpoints(process.argv[2] as string), {
  onProgress: ({ done }) => {
    if (done === 6) process.kill(process.pid, 'SIGKILL');
  },
});
