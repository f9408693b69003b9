// SPDX-License-Identifier: Apache-2.0
// The services of the .proto files, for client and replica.
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const files = ['sticky.proto', 'health.proto'].map((name) => fileURLToPath(new URL(name, import.meta.url)));
const packages = grpc.loadPackageDefinition(loader.loadSync(files, { defaults: true, enums: String }));

export const { Sticky } = packages.e2e;
export const { Health } = packages.grpc.health.v1;
