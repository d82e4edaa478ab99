import { Option } from 'commander';

/** `--config <file>`, the same for every verb that reads the configuration. */
export function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration file')
    .env('ROWFERRY_CONFIG')
    .default('rowferry.yaml');
}
