# SPDX-License-Identifier: Apache-2.0
"""What the tests of the living daemon stand on: processes, replicas, clients, deadlines."""
