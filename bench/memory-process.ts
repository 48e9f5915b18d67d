/**
 * `node memory-process.js PLATES`: runs so many full-size plates with a free network and prints its peak memory in MiB.
 * Four plates make an experiment, as in RxRx1; one experiment comes after the other.
 */
import { freeModel, freeWorkers } from "../testing/free-workers.ts";
import { fullSizePlate, repeatPlate } from "./full-size-plate.ts";
import { runChain } from "./run-chain.ts";

const platesOfExperiment = 4;
const plates = Number(process.argv[2]);
const plate = await fullSizePlate(() => undefined);
const workers = freeWorkers(freeModel(plate.cellType, 1108, 512));
for (let left = plates; left > 0; left -= platesOfExperiment)
  await runChain(repeatPlate(plate, Math.min(left, platesOfExperiment)), workers);
process.stdout.write(`${process.resourceUsage().maxRSS / 1024}\n`);
