/** The samples of an experiment whose treatments are not known: what treatment wells hold goes no further than here. */
import type { Experiment, Site } from "../../screen/experiment.ts";
import type { Sample } from "../data/samples.ts";

export interface UnlabelledExperiment {
  readonly id: string;
  /** Every site of a treatment well; `treatment` is empty. */
  readonly treatments: readonly Sample[];
  /** Sites of controls, with what they are. */
  readonly controls: readonly Sample[];
}

export const withoutLabels = ({ id, plates, sites }: Experiment): UnlabelledExperiment => {
  const sampleOf = (site: Site, treatment: string): Sample => ({ site, treatment, plate: plates.indexOf(site.plate) });
  const bare = sites.map(({ treatment, ...site }) => (site.wellType === "treatment" ? site : { ...site, treatment }));
  return {
    id,
    treatments: bare.flatMap((site) => (site.wellType === "treatment" ? [sampleOf(site as Site, "")] : [])),
    controls: bare.flatMap((site) => {
      const { treatment } = site as Site;
      return site.wellType === "treatment" || treatment === undefined ? [] : [sampleOf(site as Site, treatment)];
    }),
  };
};
