/** `node memory-process.js PLATES`: runs so many full-size plates with a free network and prints its peak memory in MiB. */
import { freeModel, freeWorkers } from "./free-workers.ts";
import { fullSizePlate, repeatPlate } from "./full-size-plate.ts";
import { runChain } from "./run-chain.ts";

const plates = Number(process.argv[2]);
const plate = await fullSizePlate(() => undefined);
await runChain(repeatPlate(plate, plates), freeWorkers(freeModel(plate.cellType, 1108, 512)));
process.stdout.write(`${process.resourceUsage().maxRSS / 1024}\n`);
