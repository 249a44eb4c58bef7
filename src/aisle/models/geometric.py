"""What aisle takes from torch-geometric: the one place that imports it.

Its import scripts a class, of which torch warns; that is theirs to mend.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch_geometric.nn import SAGEConv
    from torch_geometric.nn.kge import ComplEx, RotatE, TransE
    from torch_geometric.nn.models import LightGCN

__all__ = ["ComplEx", "LightGCN", "RotatE", "SAGEConv", "TransE"]
