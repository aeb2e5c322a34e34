// A process that trains dictionaries in a folder and kills itself behind update 9, beyond the checkpoint of update 8.
import { openNodeGpu } from '@limn/gpu/node';
import { folderCheckpoints } from '@limn/gpt2/node';
import { trainIn } from './training-job.js';

const gpu = await openNodeGpu({ workBudgetFlops: 1e9, onNotice: () => undefined });
await trainIn(gpu, folderCheckpoints(process.argv[2] as string), {
  onProgress: ({ update }) => {
    if (update === 9) process.kill(process.pid, 'SIGKILL');
  },
});
